//! TCC: branches that first reserve (try), and then confirm all or cancel all.

use std::time::Duration;

use crate::client::Client;
use crate::error::Error;
use crate::gid::Gid;
use crate::options::{BranchOptions, Options};
use crate::participant::Operation;
use crate::payload::{Payload, PayloadFields};
use crate::requests::{
    BranchRequest, Change, Completed, Mode, Settle, TransactionRequest, Tried, Waited,
};
use crate::words::Status;

/// A TCC transaction before it begins.
///
/// ```no_run
/// use std::time::Duration;
/// use seata_client::{Client, Gid, Tcc, TccBranch};
/// use serde_json::json;
///
/// # async fn book() -> Result<(), seata_client::Error> {
/// let client = Client::http("http://127.0.0.1:36789")?;
/// let tcc = Tcc::new(Gid::new())
///     .payload(json!({ "seat": "12A" }))
///     .branch(
///         TccBranch::new("seat")
///             .try_("http://127.0.0.1:8080/seat/hold")
///             .confirm("http://127.0.0.1:8080/seat/book")
///             .cancel("http://127.0.0.1:8080/seat/free"),
///     );
/// let ended = tcc.run(&client, Duration::from_secs(30)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Tcc {
    pub(crate) gid: Gid,
    pub(crate) payload: Option<Payload>,
    pub(crate) options: Options,
    pub(crate) branches: Vec<TccBranch>,
}

impl Tcc {
    /// Names a transaction without branches yet.
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

    /// Adds a branch that [`Tcc::run`] tries.
    #[must_use]
    pub fn branch(mut self, branch: TccBranch) -> Self {
        self.branches.push(branch);
        self
    }

    /// Begins it, without any branch: they are tried or registered one by one. It is cancelled by itself at its
    /// deadline, `timeout_to_fail` from now.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn begin(&self, client: &Client) -> Result<OpenTcc, Error> {
        client.start(&self.request()).await?;
        Ok(self.open(client))
    }

    fn open(&self, client: &Client) -> OpenTcc {
        OpenTcc {
            client: client.clone(),
            gid: self.gid.clone(),
            call_timeout: self.options.request_timeout,
        }
    }

    /// Begins it, tries each of its branches in their order, and confirms all if each succeeded. If one was refused or
    /// is not known, all are cancelled. Then it waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked: then the deadline cancels what was not submitted.
    pub async fn run(&self, client: &Client, wait: Duration) -> Result<Waited, Error> {
        let open = self.begin(client).await?;
        for branch in &self.branches {
            let why = match open.try_branch(branch).await? {
                Tried::Succeeded => continue,
                Tried::Refused { reason } => format!("{} refused: {reason}", branch.branch_id),
                Tried::NotKnown { .. } => format!("the try of {} is not known", branch.branch_id),
            };
            return open.abort_and_wait(&why, wait).await;
        }
        open.submit_and_wait(wait).await
    }

    fn request(&self) -> TransactionRequest {
        TransactionRequest {
            gid: self.gid.clone(),
            mode: Mode::Tcc,
            payload: PayloadFields::of(self.payload.as_ref()),
            options: self.options.clone(),
            branches: Vec::new(),
        }
    }
}

/// One participant's part of a TCC. The coordinator checks names and endpoints when it gets them.
#[derive(Debug, Clone, PartialEq)]
pub struct TccBranch {
    pub(crate) branch_id: String,
    pub(crate) try_: Option<String>,
    pub(crate) confirm: Option<String>,
    pub(crate) cancel: Option<String>,
    pub(crate) payload: Option<Payload>,
    pub(crate) options: BranchOptions,
}

impl TccBranch {
    /// Names a branch: 1 to 64 of `A-Z a-z 0-9 . _ : -`, unique in its transaction.
    #[must_use]
    pub fn new(branch_id: impl Into<String>) -> Self {
        Self {
            branch_id: branch_id.into(),
            try_: None,
            confirm: None,
            cancel: None,
            payload: None,
            options: BranchOptions::default(),
        }
    }

    /// Answers its name.
    #[must_use]
    pub fn branch_id(&self) -> &str {
        &self.branch_id
    }

    /// Sets who reserves. A branch that the initiator tries by itself has none: see [`OpenTcc::register`].
    #[must_use]
    pub fn try_(mut self, endpoint: impl Into<String>) -> Self {
        self.try_ = Some(endpoint.into());
        self
    }

    /// Sets who makes the reservation good. By default the endpoint of the try: `seata-operation` tells them apart.
    #[must_use]
    pub fn confirm(mut self, endpoint: impl Into<String>) -> Self {
        self.confirm = Some(endpoint.into());
        self
    }

    /// Sets who gives the reservation back. By default the endpoint of the try.
    #[must_use]
    pub fn cancel(mut self, endpoint: impl Into<String>) -> Self {
        self.cancel = Some(endpoint.into());
        self
    }

    /// Sets what the participant is sent. Without it, the transaction's payload is.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Payload>) -> Self {
        self.payload = Some(payload.into());
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
            action: self.try_.clone(),
            confirm: self.confirm.clone(),
            cancel: self.cancel.clone(),
            payload: PayloadFields::of(self.payload.as_ref()),
            options: self.options.clone(),
            ..BranchRequest::default()
        }
    }
}

/// A TCC transaction that has begun.
#[derive(Debug, Clone)]
pub struct OpenTcc {
    client: Client,
    gid: Gid,
    /// The time limit of the coordinator's calls, if the transaction gives one.
    call_timeout: Option<Duration>,
}

impl OpenTcc {
    /// Goes on with one that was begun before, perhaps by another process.
    #[must_use]
    pub const fn resume(client: Client, gid: Gid) -> Self {
        Self {
            client,
            gid,
            call_timeout: None,
        }
    }

    /// Tells the `request_timeout` that the transaction was begun with, if it had one: an answer to a try is waited for so
    /// much longer. What [`Tcc::begin`] answers knows it.
    #[must_use]
    pub const fn request_timeout(mut self, limit: Duration) -> Self {
        self.call_timeout = Some(limit);
        self
    }

    /// Answers its name.
    #[must_use]
    pub const fn gid(&self) -> &Gid {
        &self.gid
    }

    /// Registers the branch and lets the coordinator call its try, once. The same branch again joins a call in flight,
    /// or makes the next attempt.
    ///
    /// # Errors
    /// It was refused by the coordinator, or that can't be asked. A refusal of the participant is an answer.
    pub async fn try_branch(&self, branch: &TccBranch) -> Result<Tried, Error> {
        let call_timeout = self.call_timeout(branch);
        self.client
            .try_branch(&self.gid, &branch.request(), call_timeout)
            .await
    }

    /// Answers how long the coordinator's call of this try may last, as far as the client knows.
    fn call_timeout(&self, branch: &TccBranch) -> Duration {
        let limit = branch.options.request_timeout.or(self.call_timeout);
        limit.unwrap_or_default()
    }

    /// Registers the branch: *before* the initiator calls its try by itself.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked: then the try must not be called.
    pub async fn register(&self, branch: &TccBranch) -> Result<(), Error> {
        let change = Change::Register(branch.request());
        self.client.change(&self.gid, &change).await
    }

    /// Tells the coordinator that the try of a branch succeeded.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn try_succeeded(&self, branch_id: impl Into<String>) -> Result<(), Error> {
        let completed = Completed {
            branch_id: branch_id.into(),
            operation: Some(Operation::Try),
            reason: None,
        };
        self.client
            .change(&self.gid, &Change::Succeed(completed))
            .await
    }

    /// Tells the coordinator that the try of a branch was refused, and why.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn try_failed(
        &self,
        branch_id: impl Into<String>,
        reason: impl Into<String>,
    ) -> Result<(), Error> {
        let completed = Completed {
            branch_id: branch_id.into(),
            operation: Some(Operation::Try),
            reason: Some(reason.into()),
        };
        self.client
            .change(&self.gid, &Change::Fail(completed))
            .await
    }

    /// Decides to confirm all, and answers where it stands.
    ///
    /// # Errors
    /// It was refused, say because a try is not known to have succeeded, or the coordinator can't be asked.
    pub async fn submit(&self) -> Result<Status, Error> {
        self.client.submit(&self.gid).await
    }

    /// Decides to confirm all, and waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// As of [`OpenTcc::submit`].
    pub async fn submit_and_wait(&self, wait: Duration) -> Result<Waited, Error> {
        let settle = Settle::Submit(self.gid.clone());
        self.client.settle_and_wait(&settle, wait).await
    }

    /// Decides to cancel all, and answers where it stands.
    ///
    /// # Errors
    /// It was refused, because the decision was to confirm, or the coordinator can't be asked.
    pub async fn abort(&self, reason: &str) -> Result<Status, Error> {
        self.client.abort(&self.gid, reason).await
    }

    /// Decides to cancel all, and waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// As of [`OpenTcc::abort`].
    pub async fn abort_and_wait(&self, reason: &str, wait: Duration) -> Result<Waited, Error> {
        let settle = Settle::Abort {
            gid: self.gid.clone(),
            reason: Some(reason.to_owned()),
        };
        self.client.settle_and_wait(&settle, wait).await
    }

    /// Confirms one branch. While nothing is decided, that is the decision to confirm *all*.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn confirm(&self, branch_id: impl Into<String>) -> Result<(), Error> {
        let change = Change::Confirm(branch_id.into());
        self.client.change(&self.gid, &change).await
    }

    /// Cancels one branch. While nothing is decided, that is the decision to cancel *all*.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn cancel(&self, branch_id: impl Into<String>) -> Result<(), Error> {
        let change = Change::Cancel(branch_id.into());
        self.client.change(&self.gid, &change).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_is_waited_for_as_long_as_the_branch_or_else_the_transaction_lets_it_last() {
        let client = Client::http("http://127.0.0.1:1").expect("a URL");
        let options = Options {
            request_timeout: Some(Duration::from_secs(40)),
            ..Options::default()
        };
        let open = Tcc::new(Gid::new()).options(options).open(&client);
        let own = BranchOptions {
            request_timeout: Some(Duration::from_secs(2)),
            ..BranchOptions::default()
        };
        let (plain, quick) = (TccBranch::new("a"), TccBranch::new("b").options(own));
        assert_eq!(open.call_timeout(&plain), Duration::from_secs(40));
        assert_eq!(open.call_timeout(&quick), Duration::from_secs(2));
        let resumed = OpenTcc::resume(client, Gid::new());
        assert_eq!(resumed.call_timeout(&plain), Duration::ZERO);
        assert_eq!(resumed.call_timeout(&quick), Duration::from_secs(2));
        let told = resumed.request_timeout(Duration::from_secs(40));
        assert_eq!(told.call_timeout(&plain), Duration::from_secs(40));
    }
}
