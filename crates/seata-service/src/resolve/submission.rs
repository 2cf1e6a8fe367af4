//! Submissions: by gid, or whole.

use std::time::Duration;

use seata_core::{Gid, UnixMillis};

use super::{Whole, required_gid, wait};
use crate::code::ErrorCode;
use crate::problem::Problem;
use crate::request::{PayloadRequest, SubmitRequest};
use crate::rules::Rules;

/// What is submitted.
#[derive(Debug, Clone)]
pub enum Submission {
    /// What was begun before.
    ByGid(Gid),
    /// All of it in this request.
    Whole(Whole),
}

impl SubmitRequest<'_> {
    /// Reads a submission, and how long the client waits for the end.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(
        self,
        rules: &Rules,
        now: UnixMillis,
    ) -> Result<(Submission, Option<Duration>), Problem> {
        let wait = wait(self.wait)?;
        let transaction = self.transaction;
        if transaction.branches.is_some() {
            let whole = transaction.resolve(rules, now)?;
            return Ok((Submission::Whole(whole), wait));
        }
        let more = [
            transaction.mode.map(|_| "mode"),
            transaction.payload.as_ref().map(PayloadRequest::field),
            transaction.options.as_ref().map(|_| "options"),
        ];
        if let Some(name) = more.into_iter().flatten().next() {
            let why = format_args!(
                "is missing, though `{name}` is given: send a whole transaction with its branches, or the gid alone"
            );
            return Err(Problem::field("branches", why));
        }
        if transaction.gid.is_none() {
            return Err(Problem::new(
                ErrorCode::InvalidRequest,
                "nothing to submit: give the gid of what was begun, or a whole transaction with its branches",
            ));
        }
        let gid = required_gid(transaction.gid.as_ref())?;
        Ok((Submission::ByGid(gid), wait))
    }
}
