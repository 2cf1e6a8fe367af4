//! Sagas: branches with an action and a compensation, submitted in one request or step by step.

use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::gid::Gid;
use crate::options::{BranchOptions, Options};
use crate::payload::{Payload, PayloadFields};
use crate::requests::{BranchRequest, Mode, Settle, TransactionRequest, Waited};
use crate::words::Status;

/// A saga, as it will be submitted. Submitting the same one again changes nothing and answers where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Saga {
    pub(crate) gid: Gid,
    pub(crate) payload: Option<Payload>,
    pub(crate) options: Options,
    pub(crate) branches: Vec<Branch>,
}

impl Saga {
    /// Names a saga without branches yet.
    #[must_use]
    pub fn new(gid: Gid) -> Self {
        Self {
            gid,
            payload: None,
            options: Options::default(),
            branches: Vec::new(),
        }
    }

    /// Answers its name.
    #[must_use]
    pub const fn gid(&self) -> &Gid {
        &self.gid
    }

    /// Sets what branches without a payload of their own are sent.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Payload>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Sets its options.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Adds a branch.
    #[must_use]
    pub fn branch(mut self, branch: Branch) -> Self {
        self.branches.push(branch);
        self
    }

    /// Submits all of it in one request and answers where it stands, without waiting for the end.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn submit(&self, client: &Client) -> Result<Status, Error> {
        client.settle(&self.whole()).await
    }

    /// Submits all of it in one request and waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked. That it has not ended in time is no error.
    pub async fn submit_and_wait(&self, client: &Client, wait: Duration) -> Result<Waited, Error> {
        client.settle_and_wait(&self.whole(), wait).await
    }

    /// Begins it with the branches that it has. Others are added by [`Client::add_branch`]; nobody is called before
    /// [`Client::submit`].
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn start(&self, client: &Client) -> Result<(), Error> {
        client.start(&self.request()).await
    }

    fn whole(&self) -> Settle {
        Settle::Whole(Box::new(self.request()))
    }

    fn request(&self) -> TransactionRequest {
        TransactionRequest {
            gid: self.gid.clone(),
            mode: Mode::Saga,
            payload: PayloadFields::of(self.payload.as_ref()),
            options: self.options.clone(),
            branches: self.branches.iter().map(Branch::request).collect(),
        }
    }
}

/// One participant's part of a saga. The coordinator checks names and endpoints when it gets them.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    pub(crate) branch_id: String,
    pub(crate) action: String,
    pub(crate) compensation: Option<String>,
    pub(crate) payload: Option<Payload>,
    pub(crate) after: Vec<String>,
    pub(crate) options: BranchOptions,
}

impl Branch {
    /// Names a branch: 1 to 64 of `A-Z a-z 0-9 . _ : -`, unique in its saga.
    #[must_use]
    pub fn new(branch_id: impl Into<String>) -> Self {
        Self {
            branch_id: branch_id.into(),
            action: String::new(),
            compensation: None,
            payload: None,
            after: Vec::new(),
            options: BranchOptions::default(),
        }
    }

    /// Sets who does the work: an `http://`, `https://`, `grpc://`, `grpcs://` or `local://` endpoint. Required.
    #[must_use]
    pub fn action(mut self, endpoint: impl Into<String>) -> Self {
        self.action = endpoint.into();
        self
    }

    /// Sets who undoes the work. Without it, nothing need be undone.
    #[must_use]
    pub fn compensation(mut self, endpoint: impl Into<String>) -> Self {
        self.compensation = Some(endpoint.into());
        self
    }

    /// Sets what the participant is sent. Without it, the saga's payload is.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Payload>) -> Self {
        self.payload = Some(payload.into());
        self
    }

    /// Names the branches that must have succeeded before.
    #[must_use]
    pub fn after<B: Into<String>>(mut self, branch_ids: impl IntoIterator<Item = B>) -> Self {
        self.after.extend(branch_ids.into_iter().map(Into::into));
        self
    }

    /// Sets its options.
    #[must_use]
    pub fn options(mut self, options: BranchOptions) -> Self {
        self.options = options;
        self
    }

    pub(crate) fn request(&self) -> BranchRequest {
        BranchRequest {
            branch_id: self.branch_id.clone(),
            action: Some(self.action.clone()),
            compensation: self.compensation.clone(),
            after: self.after.clone(),
            payload: PayloadFields::of(self.payload.as_ref()),
            options: self.options.clone(),
            ..BranchRequest::default()
        }
    }
}
