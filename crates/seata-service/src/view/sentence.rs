//! Sentences for people: why it was aborted, and what it waits for.

use std::fmt::Write;

use seata_core::{
    AbortCause, BranchIndex, Mode, Operation, Outcome, Transaction, UnixMillis, WaitingFor,
};

use crate::time::rfc3339;

/// Says why a transaction was or will be aborted.
pub(crate) fn abort_reason(transaction: &Transaction, cause: &AbortCause) -> String {
    match cause {
        AbortCause::Refused { branch } => {
            let forward = forward(transaction);
            let said = last_answer(transaction, *branch, forward).unwrap_or_default();
            let name = name(transaction, *branch);
            format!("branch {name} refused its {forward}{said}")
        }
        AbortCause::AttemptLimit { branch } => {
            let forward = forward(transaction);
            let said = last_answer(transaction, *branch, forward).unwrap_or_default();
            let name = name(transaction, *branch);
            format!("branch {name} used up the attempts of its {forward}{said}")
        }
        AbortCause::Deadline => "the deadline passed (timeout_to_fail_secs)".to_owned(),
        AbortCause::Requested { reason } if reason.as_str().is_empty() => {
            "an abort was asked for".to_owned()
        }
        AbortCause::Requested { reason } => format!("an abort was asked for: {reason}"),
        AbortCause::NeverSubmitted => {
            "it was not submitted in time (prepared_timeout_secs)".to_owned()
        }
    }
}

/// Answers a branch's name.
pub(crate) fn name(transaction: &Transaction, branch: BranchIndex) -> &str {
    transaction
        .branch(branch)
        .map_or("?", |branch| branch.branch_id.as_str())
}

/// Answers the operation that does the work, or reserves it.
fn forward(transaction: &Transaction) -> Operation {
    match transaction.mode() {
        Mode::Saga => Operation::Action,
        Mode::Tcc => Operation::Try,
    }
}

fn last_answer(
    transaction: &Transaction,
    branch: BranchIndex,
    operation: Operation,
) -> Option<String> {
    let view = transaction
        .branches()
        .into_iter()
        .find(|view| view.index == branch)?;
    let view = view
        .operations
        .into_iter()
        .find(|view| view.operation == operation)?;
    let outcome = view.last?;
    outcome.reason().map(|reason| format!(": {reason}"))
}

/// Says what an open transaction waits for first.
pub(crate) fn waiting_for(transaction: &Transaction, now: UnixMillis) -> Option<String> {
    Some(match transaction.waiting_for()? {
        WaitingFor::Submission { until } => format!(
            "its submission; without one it is aborted at {}",
            rfc3339(until)
        ),
        WaitingFor::Abort {
            branch_id,
            reason,
            until,
        } => format!(
            "an abort: branch {branch_id} refused its try{}; without one it is aborted at {}",
            reason.behind_colon(),
            rfc3339(until)
        ),
        WaitingFor::Try { branch_id, until } => format!(
            "its submission, which needs the try of {branch_id} to be sent again; without one it is aborted at {}",
            rfc3339(until)
        ),
        WaitingFor::Answer {
            branch_id,
            operation,
            attempt,
        } => format!("branch {branch_id}: the answer to attempt {attempt} of its {operation}"),
        WaitingFor::TryLimit { branch_id, until } => format!(
            "branch {branch_id}: the answer to its try, or the end of its time limit at {}",
            rfc3339(until)
        ),
        WaitingFor::Attempt {
            branch_id,
            operation,
            attempt,
            at,
            last,
        } => {
            let left = at.since(now).as_millis();
            let (secs, tenths) = (left / 1000, left % 1000 / 100);
            let mut text = format!(
                "branch {branch_id}: attempt {attempt} of its {operation} in {secs}.{tenths} s"
            );
            if let Some(last) = last {
                let said = said(&last);
                let endpoint = endpoint(transaction, branch_id.as_str(), operation);
                // Writing to a String does not fail.
                let _ = write!(text, "; last answer: {said} from {endpoint}");
            }
            text
        }
        WaitingFor::Operator { reason } => {
            format!("an operator (retry, skip or force): {reason}")
        }
        WaitingFor::Coordinator => "a coordinator that goes on with it".to_owned(),
    })
}

fn said(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Ongoing => "not finished yet",
        Outcome::Failure { reason } if reason.is_empty() => "a refusal",
        Outcome::Unknown { reason } if reason.is_empty() => "nothing that is known",
        Outcome::Failure { reason } | Outcome::Unknown { reason } => reason.as_str(),
    }
}

fn endpoint(transaction: &Transaction, branch_id: &str, operation: Operation) -> String {
    let branch = (0..)
        .map_while(|at| transaction.branch(BranchIndex(at)))
        .find(|branch| branch.branch_id.as_str() == branch_id);
    let endpoint = branch.and_then(|branch| branch.endpoint(operation));
    endpoint.map_or_else(String::new, |endpoint| endpoint.as_str().to_owned())
}
