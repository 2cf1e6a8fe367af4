//! One TCC in each state that a TCC can stand in, and every fact, made by hand.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    AbortCause, Answered, AttemptId, BranchIndex, CompletionEnd, End, Event, Fact, FencingToken,
    Operation, Outcome, Reason, Transaction, UnixMillis,
};

use crate::script::{failed, failure, unknown};
use crate::spec::{gid, tcc};

/// The branch whose try the coordinator calls.
pub(crate) const A: BranchIndex = BranchIndex(0);
/// The branch whose try the initiator calls itself.
pub(crate) const B: BranchIndex = BranchIndex(1);

/// Where a TCC of `a` and `b*` stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    Registered,
    TryAsked,
    TryBegun,
    Tried,
    TryRefused,
    TryInDoubt,
    AbortAsked,
    ForcedToCommit,
    ForcedToAbort,
    Confirming,
    ConfirmWaiting,
    ConfirmRefused,
    Confirmed,
    Cancelling,
    CancellingWhileTrying,
    CancelRefused,
    Cancelled,
    StuckTrying,
    StuckConfirming,
    StuckCancelling,
    Committed,
    Aborted,
}

impl State {
    pub(crate) const ALL: [Self; 22] = [
        Self::Registered,
        Self::TryAsked,
        Self::TryBegun,
        Self::Tried,
        Self::TryRefused,
        Self::TryInDoubt,
        Self::AbortAsked,
        Self::ForcedToCommit,
        Self::ForcedToAbort,
        Self::Confirming,
        Self::ConfirmWaiting,
        Self::ConfirmRefused,
        Self::Confirmed,
        Self::Cancelling,
        Self::CancellingWhileTrying,
        Self::CancelRefused,
        Self::Cancelled,
        Self::StuckTrying,
        Self::StuckConfirming,
        Self::StuckCancelling,
        Self::Committed,
        Self::Aborted,
    ];

    /// Answers the facts that lead there from a new TCC.
    fn facts(self) -> Vec<Fact> {
        use Operation::{Cancel, Confirm, Try};
        let tried = || vec![asked_try(), begun(), answered(A, Try, Outcome::Success)];
        let confirming = || [tried(), vec![Fact::Submitted]].concat();
        let and = |facts: Vec<Fact>, more: &[Fact]| [facts, more.to_vec()].concat();
        let ok = |branch, operation| answered(branch, operation, Outcome::Success);
        match self {
            Self::Registered => vec![],
            Self::TryAsked => vec![asked_try()],
            Self::TryBegun => vec![asked_try(), begun()],
            Self::Tried => tried(),
            Self::TryRefused => vec![asked_try(), begun(), answered(A, Try, failure())],
            Self::TryInDoubt => vec![asked_try(), begun(), recovered()],
            Self::AbortAsked => vec![asked()],
            Self::ForcedToCommit => vec![forced(End::Committed)],
            Self::ForcedToAbort => vec![forced(End::Aborted)],
            Self::Confirming => confirming(),
            Self::ConfirmWaiting => and(confirming(), &[answered(A, Confirm, unknown())]),
            Self::ConfirmRefused => and(confirming(), &[answered(A, Confirm, failure())]),
            Self::Confirmed => and(confirming(), &[ok(A, Confirm), ok(B, Confirm)]),
            Self::Cancelling => vec![turned(&[A, B])],
            Self::CancellingWhileTrying => vec![asked_try(), begun(), turned(&[A, B])],
            Self::CancelRefused => vec![turned(&[A, B]), answered(A, Cancel, failure())],
            Self::Cancelled => vec![turned(&[A, B]), ok(A, Cancel), ok(B, Cancel)],
            Self::StuckTrying => vec![stuck()],
            Self::StuckConfirming => and(confirming(), &[answered(A, Confirm, failure()), stuck()]),
            Self::StuckCancelling => {
                vec![turned(&[A, B]), answered(A, Cancel, failure()), stuck()]
            }
            Self::Committed => vec![forced(End::Committed), Fact::Committed],
            Self::Aborted => vec![forced(End::Aborted), Fact::Aborted],
        }
    }

    pub(crate) fn reach(self) -> Transaction {
        let created = Transaction::create(Arc::new(tcc("a b*").0), UnixMillis(0)).unwrap();
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

pub(crate) fn asked_try() -> Fact {
    Fact::TryRequested { branch: A }
}

pub(crate) fn begun() -> Fact {
    Fact::TryBegun {
        branch: A,
        number: 1,
        until: UnixMillis(1_000),
    }
}

pub(crate) fn recovered() -> Fact {
    Fact::Recovered {
        token: FencingToken(2),
    }
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
    let again = match (&outcome, operation) {
        (Outcome::Success | Outcome::Failure { .. }, _) | (_, Operation::Try) => None,
        (Outcome::Ongoing | Outcome::Unknown { .. }, _) => Some(UnixMillis(50)),
    };
    Fact::Answered(Answered {
        branch,
        operation,
        attempt: AttemptId {
            token: FencingToken(1),
            number: 1,
        },
        outcome,
        took: Duration::ZERO,
        next_attempt_at: again,
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

pub(crate) fn succeeded(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Completed {
        branch,
        operation,
        end: CompletionEnd::Succeeded,
    }
}

pub(crate) fn refused(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Completed {
        branch,
        operation,
        end: failed(),
    }
}

pub(crate) fn elided(branch: BranchIndex, operation: Operation) -> Fact {
    Fact::Elided {
        branch,
        operation,
        calls: 2,
        attempts: 1,
    }
}
