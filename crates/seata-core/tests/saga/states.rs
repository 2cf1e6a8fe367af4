//! One saga in each state that a saga can stand in, and every fact, made by hand.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    AbortCause, Answered, AttemptId, BranchIndex, CompletionEnd, End, Event, Fact, FencingToken,
    Operation, Outcome, Reason, Transaction, UnixMillis,
};

use crate::script::{failure, unknown};
use crate::spec::{gid, saga};

pub(crate) const A: BranchIndex = BranchIndex(0);
pub(crate) const B: BranchIndex = BranchIndex(1);

/// Where a saga of `a` and then `b` stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    Prepared,
    AbortAsked,
    Ready,
    Waiting,
    Refused,
    Done,
    ForcedToCommit,
    ForcedToAbort,
    Turned,
    Undoing,
    UndoWaiting,
    Undone,
    StuckPrepared,
    StuckRunning,
    StuckAborting,
    Committed,
    Aborted,
}

impl State {
    pub(crate) const ALL: [Self; 17] = [
        Self::Prepared,
        Self::AbortAsked,
        Self::Ready,
        Self::Waiting,
        Self::Refused,
        Self::Done,
        Self::ForcedToCommit,
        Self::ForcedToAbort,
        Self::Turned,
        Self::Undoing,
        Self::UndoWaiting,
        Self::Undone,
        Self::StuckPrepared,
        Self::StuckRunning,
        Self::StuckAborting,
        Self::Committed,
        Self::Aborted,
    ];

    /// Answers the facts that lead there from a new saga.
    fn facts(self) -> Vec<Fact> {
        use Operation::{Action, Compensation};
        let submitted = || Fact::Submitted;
        let acted = || answered(A, Action, Outcome::Success);
        let refused = || answered(B, Action, failure());
        let turned = || turned(&[A]);
        match self {
            Self::Prepared => vec![],
            Self::AbortAsked => vec![asked()],
            Self::Ready => vec![submitted()],
            Self::Waiting => vec![submitted(), answered(A, Action, unknown())],
            Self::Refused => vec![submitted(), answered(A, Action, failure())],
            Self::Done => vec![submitted(), acted(), answered(B, Action, Outcome::Success)],
            Self::ForcedToCommit => vec![submitted(), forced(End::Committed)],
            Self::ForcedToAbort => vec![submitted(), forced(End::Aborted)],
            Self::Turned => vec![submitted(), asked(), turned()],
            Self::Undoing => vec![submitted(), acted(), refused(), turned()],
            Self::UndoWaiting => vec![
                submitted(),
                acted(),
                refused(),
                turned(),
                answered(A, Compensation, unknown()),
            ],
            Self::Undone => vec![
                submitted(),
                acted(),
                refused(),
                turned(),
                answered(A, Compensation, Outcome::Success),
            ],
            Self::StuckPrepared => vec![stuck()],
            Self::StuckRunning => vec![submitted(), stuck()],
            Self::StuckAborting => vec![
                submitted(),
                acted(),
                refused(),
                turned(),
                answered(A, Compensation, failure()),
                stuck(),
            ],
            Self::Committed => vec![submitted(), forced(End::Committed), Fact::Committed],
            Self::Aborted => vec![submitted(), forced(End::Aborted), Fact::Aborted],
        }
    }

    pub(crate) fn reach(self) -> Transaction {
        let definition = Arc::new(saga("a b:a").0);
        let created = Transaction::create(definition, UnixMillis(0)).unwrap();
        let mut txn = Transaction::fold(&gid(), [&created]).unwrap();
        for fact in self.facts() {
            txn.try_apply(&next(&txn, fact)).unwrap();
        }
        txn
    }
}

pub(crate) fn next(txn: &Transaction, fact: Fact) -> Event {
    Event {
        number: txn.last_event() + 1,
        at: UnixMillis(1),
        fact,
    }
}

pub(crate) fn reason() -> Reason {
    Reason::new("test")
}

pub(crate) fn asked() -> Fact {
    Fact::AbortRequested { reason: reason() }
}

pub(crate) fn stuck() -> Fact {
    Fact::Stuck { reason: reason() }
}

pub(crate) fn forced(to: End) -> Fact {
    Fact::Forced {
        to,
        reason: reason(),
    }
}

pub(crate) fn turned(compensate: &[BranchIndex]) -> Fact {
    Fact::TurnedRound {
        cause: AbortCause::Deadline,
        compensate: compensate.to_vec(),
    }
}

pub(crate) fn answered(branch: BranchIndex, operation: Operation, outcome: Outcome) -> Fact {
    let again = match outcome {
        Outcome::Success | Outcome::Failure { .. } => None,
        Outcome::Ongoing | Outcome::Unknown { .. } => Some(UnixMillis(50)),
    };
    answered_until(branch, operation, outcome, again)
}

pub(crate) fn answered_until(
    branch: BranchIndex,
    operation: Operation,
    outcome: Outcome,
    next_attempt_at: Option<UnixMillis>,
) -> Fact {
    Fact::Answered(Answered {
        branch,
        operation,
        attempt: AttemptId {
            token: FencingToken(1),
            number: 1,
        },
        outcome,
        took: Duration::ZERO,
        next_attempt_at,
    })
}

pub(crate) fn retried(branch: Option<BranchIndex>) -> Fact {
    Fact::Retried {
        branch,
        reason: reason(),
    }
}

pub(crate) fn skipped(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Skipped {
        branch,
        operation,
        reason: reason(),
    }
}

pub(crate) fn elided(branch: BranchIndex) -> Fact {
    Fact::Elided {
        branch,
        operation: Operation::Action,
        calls: 2,
        attempts: 1,
    }
}

pub(crate) fn completed(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Completed {
        branch,
        operation,
        end: CompletionEnd::Succeeded,
    }
}

pub(crate) fn failed(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Completed {
        branch,
        operation,
        end: CompletionEnd::Failed { reason: reason() },
    }
}
