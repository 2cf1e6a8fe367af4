//! One helper for all scripts: `check(saga, [(time, input, "expected orders"), …])`.
//!
//! Orders are written as they come out: what is recorded, then who is called. `call a#1` and `undo a#1` are calls of
//! the action and the compensation; `retry a` is an attempt put off by the back-off, whose exact time is checked, and
//! `ask a in 100` one at the fixed interval. An answer that records nothing is `ignored`, a refusal is `no: …`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    AbortCause, Answered, AttemptId, BranchIndex, Effect, End, Event, Fact, Input, Operation,
    Outcome, Reason, Rejection, Step, Transaction, backoff,
};

use crate::driven::Driven;
use crate::spec::{Spec, branch};

/// What happens at one time of a script.
#[derive(Debug, Clone)]
pub(crate) enum Do {
    /// To the driver.
    Drive(Input),
    /// At a server without the lease: recorded, not decided.
    Record(Input),
    /// The call in flight is answered.
    Answer(&'static str, Operation, Outcome),
    /// An order about one branch.
    About(&'static str, fn(BranchIndex) -> Input),
    /// The driver is lost with all that was not durable; another takes over.
    Crash,
}

pub(crate) fn submit() -> Do {
    Do::Drive(Input::Submit)
}

pub(crate) fn wake() -> Do {
    Do::Drive(Input::Wake)
}

pub(crate) fn abort_input() -> Input {
    Input::Abort {
        reason: Reason::new("asked"),
    }
}

pub(crate) fn abort() -> Do {
    Do::Drive(abort_input())
}

pub(crate) fn add(text: &str) -> Do {
    Do::Drive(Input::AddBranch(Arc::new(branch(text))))
}

pub(crate) fn crash() -> Do {
    Do::Crash
}

pub(crate) fn ok(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Action, Outcome::Success)
}

pub(crate) fn no(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Action, failure())
}

pub(crate) fn silent(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Action, unknown())
}

pub(crate) fn ongoing(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Action, Outcome::Ongoing)
}

pub(crate) fn undone(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Compensation, Outcome::Success)
}

pub(crate) fn undo_no(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Compensation, failure())
}

pub(crate) fn undo_silent(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Compensation, unknown())
}

pub(crate) fn undo_ongoing(branch: &'static str) -> Do {
    Do::Answer(branch, Operation::Compensation, Outcome::Ongoing)
}

pub(crate) fn force(to: End) -> Do {
    Do::Drive(force_input(to))
}

pub(crate) fn force_input(to: End) -> Input {
    Input::Force {
        to,
        reason: Reason::new("operator"),
    }
}

pub(crate) fn retry_all() -> Do {
    Do::Drive(Input::Retry {
        branch: None,
        reason: Reason::new("operator"),
    })
}

pub(crate) fn retry(branch: &'static str) -> Do {
    Do::About(branch, |branch| Input::Retry {
        branch: Some(branch),
        reason: Reason::new("operator"),
    })
}

pub(crate) fn skip(branch: &'static str) -> Do {
    Do::About(branch, |branch| skip_input(branch, Operation::Action))
}

pub(crate) fn skip_undo(branch: &'static str) -> Do {
    Do::About(branch, |branch| skip_input(branch, Operation::Compensation))
}

pub(crate) fn skip_input(branch: BranchIndex, operation: impl Into<Option<Operation>>) -> Input {
    Input::Skip {
        branch,
        operation: operation.into(),
        reason: Reason::new("operator"),
    }
}

/// Answers which operation a step settles by somebody's word.
pub(crate) fn settled(step: &Step) -> Option<(BranchIndex, Operation)> {
    step.events.iter().find_map(|event| {
        if let Fact::Completed {
            branch, operation, ..
        }
        | Fact::Skipped {
            branch, operation, ..
        } = &event.fact
        {
            Some((*branch, *operation))
        } else {
            None
        }
    })
}

pub(crate) fn failure() -> Outcome {
    Outcome::Failure {
        reason: Reason::new("no stock"),
    }
}

pub(crate) fn unknown() -> Outcome {
    Outcome::Unknown {
        reason: Reason::new("timed out"),
    }
}

/// Plays a script and answers the saga as it stands at its end.
pub(crate) fn check<const N: usize>(spec: Spec, script: [(i64, Do, &str); N]) -> Driven {
    let mut driven = Driven::new(&spec);
    for (now_ms, what, expected) in script {
        let asked = format!("{now_ms}: {what:?}");
        assert_eq!(play(&mut driven, what, now_ms), expected, "{asked}");
    }
    driven
}

pub(crate) fn play(driven: &mut Driven, what: Do, now_ms: i64) -> String {
    let answers = matches!(what, Do::Answer(..));
    let stepped = match what {
        Do::Drive(input) => driven.advance(input, now_ms),
        Do::Record(input) => driven.record(input, now_ms),
        Do::About(branch, order) => driven.advance(order(index(&driven.txn, branch)), now_ms),
        Do::Crash => Ok(driven.crash(now_ms)),
        Do::Answer(branch, operation, outcome) => {
            let input = answer(driven, index(&driven.txn, branch), operation, outcome);
            driven.advance(input, now_ms)
        }
    };
    match stepped {
        Ok(step) if answers && !step.events.iter().any(is_answer) => {
            format!("ignored {}", say(&driven.txn, &step))
                .trim()
                .to_owned()
        }
        Ok(step) => say(&driven.txn, &step),
        Err(rejection) => refusal(&rejection),
    }
}

fn is_answer(event: &Event) -> bool {
    matches!(event.fact, Fact::Answered(_))
}

pub(crate) fn refusal(rejection: &Rejection) -> String {
    format!("no: {rejection}")
}

pub(crate) fn index(txn: &Transaction, branch: &str) -> BranchIndex {
    txn.find_branch(&crate::spec::name(branch)).unwrap()
}

/// Answers the call in flight.
pub(crate) fn answer(
    driven: &Driven,
    branch: BranchIndex,
    operation: Operation,
    outcome: Outcome,
) -> Input {
    let attempt = driven
        .flights
        .get(&(branch, operation))
        .copied()
        .unwrap_or_else(|| panic!("no {operation} of {branch:?} is in flight"));
    answer_to(branch, operation, attempt, outcome)
}

pub(crate) fn answer_to(
    branch: BranchIndex,
    operation: Operation,
    attempt: AttemptId,
    outcome: Outcome,
) -> Input {
    Input::Answered {
        branch,
        operation,
        attempt,
        outcome,
        took: Duration::from_millis(1),
    }
}

/// Writes down what a step orders.
pub(crate) fn say(txn: &Transaction, step: &Step) -> String {
    let facts = step.events.iter().filter_map(|event| fact(txn, event));
    let calls = step.effects.iter().map(|effect| {
        let Effect::Call(call) = effect;
        let verb = match call.operation {
            Operation::Action => "call",
            Operation::Compensation => "undo",
            Operation::Try | Operation::Confirm | Operation::Cancel => {
                panic!("a saga has no such operation")
            }
        };
        format!("{verb} {}#{}", id(txn, call.branch), call.number)
    });
    facts.chain(calls).collect::<Vec<_>>().join(", ")
}

fn id(txn: &Transaction, branch: BranchIndex) -> String {
    txn.branch(branch).unwrap().branch_id.to_string()
}

fn fact(txn: &Transaction, event: &Event) -> Option<String> {
    Some(match &event.fact {
        Fact::Answered(answered) => return put_off(txn, event, answered),
        Fact::TurnedRound { cause, compensate } => {
            let mut text = format!("turned by {}", why(txn, cause));
            for branch in compensate {
                let _ = write!(text, " {}", id(txn, *branch));
            }
            text
        }
        Fact::Skipped {
            branch, operation, ..
        } => format!("skipped {operation} of {}", id(txn, *branch)),
        Fact::Forced { to, .. } => format!("forced to {}", to.as_str()),
        Fact::Stuck { reason } => format!("stuck: {reason}"),
        Fact::Created(_)
        | Fact::BranchAdded(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::Recovered { .. }
        | Fact::Committed
        | Fact::Aborted
        | Fact::Retried { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. }
        | Fact::Elided { .. } => event.fact.as_str().to_owned(),
    })
}

fn why(txn: &Transaction, cause: &AbortCause) -> String {
    match cause {
        AbortCause::Refused { branch } => format!("refusal of {}, undoes", id(txn, *branch)),
        AbortCause::AttemptLimit { branch } => format!("limit of {}, undoes", id(txn, *branch)),
        AbortCause::Deadline => "deadline, undoes".into(),
        AbortCause::Requested { .. } => "abort, undoes".into(),
        AbortCause::NeverSubmitted => "prepared timeout, undoes".into(),
    }
}

/// Checks when the next attempt is due, to the millisecond.
fn put_off(txn: &Transaction, event: &Event, answered: &Answered) -> Option<String> {
    let next = answered.next_attempt_at?;
    let branch = txn.branch(answered.branch).unwrap();
    let policy = branch.retry(txn.options());
    let name = &branch.branch_id;
    match &answered.outcome {
        Outcome::Ongoing => {
            assert_eq!(next, event.at.plus(policy.first), "fixed interval");
            Some(format!("ask {name} in {}", policy.first.as_millis()))
        }
        Outcome::Unknown { .. } => {
            let view = &txn.branches()[answered.branch.0 as usize];
            let attempts = view
                .operations
                .iter()
                .find(|known| known.operation == answered.operation)
                .map_or(0, |known| known.attempts);
            let wait = backoff(policy, txn.gid(), u64::from(answered.branch.0), attempts);
            assert_eq!(next, event.at.plus(wait), "back-off of attempt {attempts}");
            Some(format!("retry {name}"))
        }
        Outcome::Success | Outcome::Failure { .. } => {
            panic!("a settling answer is not called again")
        }
    }
}
