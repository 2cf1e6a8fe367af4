//! When an operation that is not settled is called again, in every mode.

use std::time::Duration;

use crate::branch::Branch;
use crate::event::Answered;
use crate::operation::{Operation, Outcome};
use crate::retry::backoff;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

/// Says when an open operation is called again after this answer. None: not because of this answer. Only an action has
/// a limit of attempts: whatever was decided is called for ever. A try is called again when it is asked for again.
pub(crate) fn next_attempt_at(
    txn: &Transaction,
    branch: &Branch,
    answered: &Answered,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let retry = branch.definition.retry(txn.options());
    let attempts = branch
        .progress(answered.operation)
        .attempts
        .saturating_add(1);
    match (&answered.outcome, answered.operation) {
        (Outcome::Success | Outcome::Failure { .. }, _) | (_, Operation::Try) => None,
        (Outcome::Ongoing, _) => Some(now.plus(retry.first.max(Duration::from_millis(1)))),
        (Outcome::Unknown { .. }, Operation::Action)
            if retry.max_attempts > 0 && attempts >= retry.max_attempts =>
        {
            None
        }
        (
            Outcome::Unknown { .. },
            Operation::Action | Operation::Compensation | Operation::Confirm | Operation::Cancel,
        ) => Some(now.plus(backoff(
            retry,
            &txn.gid,
            u64::from(answered.branch.0),
            attempts,
        ))),
    }
}
