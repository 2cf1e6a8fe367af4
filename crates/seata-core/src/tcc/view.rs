//! What anyone may know of a TCC's branches.

use crate::branch::{Branch, OperationState, Stage, Trace};
use crate::operation::Outcome;
use crate::tcc::decide::expires_at;
use crate::tcc::{Phase, Side, Tcc};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::Transaction;
use crate::view::{BranchStatus, TrialView};

impl Tcc {
    pub(crate) const fn stuck_because(&self) -> Option<&Reason> {
        match &self.phase {
            Phase::Stuck { reason, .. } => Some(reason),
            Phase::Open(_) | Phase::Ended(_) => None,
        }
    }

    /// Answers when it is cancelled unless it is decided before.
    pub(crate) fn expires(&self, txn: &Transaction) -> Option<UnixMillis> {
        match self.side()? {
            Side::Trying => Some(expires_at(txn)),
            Side::Confirming { .. } | Side::Cancelling { .. } => None,
        }
    }
}

pub(crate) fn branch_status(tcc: &Tcc, branch: &Branch) -> BranchStatus {
    match (branch.forward.state, branch.backward.state) {
        (OperationState::Succeeded(_) | OperationState::Skipped, _) => BranchStatus::Confirmed,
        (
            OperationState::Open | OperationState::Refused(_),
            OperationState::Succeeded(_) | OperationState::Skipped,
        ) => BranchStatus::Cancelled,
        (
            OperationState::Open | OperationState::Refused(_),
            OperationState::Open | OperationState::Refused(_),
        ) => match tcc.side() {
            Some(Side::Confirming { .. }) => BranchStatus::Confirming,
            Some(Side::Cancelling { .. }) => BranchStatus::Cancelling,
            Some(Side::Trying) => try_status(branch),
            None => status_at_forced_end(branch),
        },
    }
}

fn try_status(branch: &Branch) -> BranchStatus {
    let trial = &branch.trial;
    match trial.progress.state {
        OperationState::Succeeded(_) | OperationState::Skipped => BranchStatus::Tried,
        OperationState::Refused(_) => BranchStatus::Refused,
        OperationState::Open if is_awaited(branch) => BranchStatus::Trying,
        OperationState::Open => match trial.progress.trace {
            Trace::Doubtful => BranchStatus::InDoubt,
            Trace::Clean => BranchStatus::Registered,
        },
    }
}

/// An operator ended it: a confirm or a cancel that was called without a settling answer stays unknown.
fn status_at_forced_end(branch: &Branch) -> BranchStatus {
    match (branch.forward.trace, branch.backward.trace) {
        (Trace::Clean, Trace::Clean) => try_status(branch),
        (Trace::Doubtful, Trace::Clean | Trace::Doubtful) | (Trace::Clean, Trace::Doubtful) => {
            BranchStatus::InDoubt
        }
    }
}

fn is_awaited(branch: &Branch) -> bool {
    match branch.trial.stage {
        Stage::Idle => branch.trial.progress.flight.is_some(),
        Stage::Requested | Stage::Calling { .. } => true,
    }
}

pub(crate) fn trial_view(branch: &Branch) -> TrialView {
    let last = branch.trial.progress.last.as_ref();
    let reason = last.and_then(|last| last.outcome.reason()).cloned();
    match branch.trial.progress.state {
        OperationState::Succeeded(_) | OperationState::Skipped => TrialView::Succeeded,
        OperationState::Refused(_) => TrialView::Refused {
            reason: reason.unwrap_or_default(),
        },
        OperationState::Open if is_awaited(branch) => TrialView::Awaited,
        OperationState::Open => TrialView::NotKnown {
            reason: match last.map(|last| &last.outcome) {
                Some(Outcome::Ongoing) => Some(Reason::new("the participant has not finished")),
                Some(Outcome::Unknown { .. } | Outcome::Success | Outcome::Failure { .. })
                | None => reason,
            },
        },
    }
}
