//! What anyone may know of a saga's branches.

use crate::agenda::Place;
use crate::branch::{Branch, OperationState, Trace};
use crate::event::BranchIndex;
use crate::operation::Operation;
use crate::saga::{Phase, Saga, Side};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::Transaction;
use crate::view::BranchStatus;

impl Saga {
    pub(crate) const fn stuck_because(&self) -> Option<&Reason> {
        match &self.phase {
            Phase::Stuck { reason, .. } => Some(reason),
            Phase::Open(_) | Phase::Ended(_) => None,
        }
    }

    /// Answers the deadline of a submitted saga.
    pub(crate) fn turns_at(&self, txn: &Transaction) -> Option<UnixMillis> {
        match self.side()? {
            Side::Running { submitted_at, .. } => txn
                .options()
                .timeout_to_fail
                .map(|limit| submitted_at.plus(limit)),
            Side::Prepared | Side::Aborting { .. } => None,
        }
    }
}

pub(crate) fn branch_status(saga: &Saga, index: BranchIndex, branch: &Branch) -> BranchStatus {
    match &saga.phase {
        Phase::Open(_) | Phase::Stuck { .. } => status_while_open(saga, index, branch),
        Phase::Ended(_) => status_at_end(branch),
    }
}

/// Nobody asks on: what no answer tells stays unknown, and a call that still flies changes nothing of that.
fn status_at_end(branch: &Branch) -> BranchStatus {
    let (undone, done) = (&branch.backward, &branch.forward);
    match (undone.state, undone.trace) {
        (OperationState::Succeeded(_) | OperationState::Skipped, _) => {
            return BranchStatus::Compensated;
        }
        (OperationState::Open | OperationState::Refused(_), Trace::Doubtful) => {
            return BranchStatus::InDoubt;
        }
        (OperationState::Open | OperationState::Refused(_), Trace::Clean) => {}
    }
    match (done.state, done.trace) {
        (OperationState::Succeeded(_) | OperationState::Skipped, _) => BranchStatus::Succeeded,
        (OperationState::Open | OperationState::Refused(_), Trace::Doubtful) => {
            BranchStatus::InDoubt
        }
        (OperationState::Refused(_), Trace::Clean) => BranchStatus::Refused,
        (OperationState::Open, Trace::Clean) => BranchStatus::Prepared,
    }
}

fn status_while_open(saga: &Saga, index: BranchIndex, branch: &Branch) -> BranchStatus {
    match branch.backward.state {
        OperationState::Succeeded(_) | OperationState::Skipped => return BranchStatus::Compensated,
        OperationState::Refused(_) => return BranchStatus::Compensating,
        OperationState::Open if branch.backward.calls > 0 || branch.backward.flight.is_some() => {
            return BranchStatus::Compensating;
        }
        OperationState::Open => {}
    }
    let aborting = saga.operation() == Some(Operation::Compensation);
    let to_compensate = aborting
        && saga
            .agenda()
            .is_some_and(|agenda| agenda.place(index) != Place::Settled);
    let doubtful = branch.forward.trace == Trace::Doubtful;
    let called = branch.forward.calls > 0 || branch.forward.flight.is_some();
    match branch.forward.state {
        OperationState::Succeeded(_) | OperationState::Skipped => BranchStatus::Succeeded,
        OperationState::Refused(_) if doubtful => BranchStatus::InDoubt,
        OperationState::Refused(_) => BranchStatus::Refused,
        OperationState::Open if aborting && (to_compensate || doubtful) => BranchStatus::InDoubt,
        OperationState::Open if called => BranchStatus::Acting,
        OperationState::Open if doubtful => BranchStatus::InDoubt,
        OperationState::Open => BranchStatus::Prepared,
    }
}
