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

    /// Answers why no try is called any more; none: those that are asked for still are.
    fn calls_no_try(&self) -> Option<Reason> {
        let decided =
            || Reason::new("the transaction was decided: this try is not called any more");
        match &self.phase {
            Phase::Open(Side::Trying)
            | Phase::Stuck {
                side: Side::Trying, ..
            } if self.cause.is_some() || self.forced.is_some() => Some(decided()),
            Phase::Open(Side::Trying) => None,
            Phase::Stuck {
                side: Side::Trying,
                reason,
            } => Some(reason.clone()),
            Phase::Open(Side::Confirming { .. } | Side::Cancelling { .. })
            | Phase::Stuck {
                side: Side::Confirming { .. } | Side::Cancelling { .. },
                ..
            }
            | Phase::Ended(_) => Some(decided()),
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
    match branch.trial.progress.state {
        OperationState::Open if is_awaited(branch) => BranchStatus::Trying,
        OperationState::Open
        | OperationState::Succeeded(_)
        | OperationState::Refused(_)
        | OperationState::Skipped => known_of_try(branch),
    }
}

/// Answers what is known of a try that nobody waits for.
fn known_of_try(branch: &Branch) -> BranchStatus {
    let trial = &branch.trial.progress;
    match (trial.state, trial.trace) {
        (OperationState::Succeeded(_) | OperationState::Skipped, _) => BranchStatus::Tried,
        (OperationState::Refused(_), _) => BranchStatus::Refused,
        (OperationState::Open, Trace::Doubtful) => BranchStatus::InDoubt,
        (OperationState::Open, Trace::Clean) => match branch.trial.stage {
            Stage::Calling { .. } => BranchStatus::InDoubt,
            Stage::Idle | Stage::Requested => BranchStatus::Registered,
        },
    }
}

/// An operator ended it: what was called, or may have been, without a settling answer stays unknown.
fn status_at_forced_end(branch: &Branch) -> BranchStatus {
    match (branch.forward.trace, branch.backward.trace) {
        (Trace::Clean, Trace::Clean) => known_of_try(branch),
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

fn is_only_requested(branch: &Branch) -> bool {
    branch.trial.stage == Stage::Requested && branch.trial.progress.flight.is_none()
}

/// Answers how far a try has come. One that was asked for and not begun is awaited only while it may still be called.
pub(crate) fn trial_view(tcc: &Tcc, branch: &Branch) -> TrialView {
    let last = branch.trial.progress.last.as_ref();
    let reason = last.and_then(|last| last.outcome.reason()).cloned();
    match branch.trial.progress.state {
        OperationState::Succeeded(_) | OperationState::Skipped => TrialView::Succeeded,
        OperationState::Refused(_) => TrialView::Refused {
            reason: reason.unwrap_or_default(),
        },
        OperationState::Open if is_awaited(branch) => match tcc.calls_no_try() {
            Some(why) if is_only_requested(branch) => TrialView::NotKnown { reason: Some(why) },
            Some(_) | None => TrialView::Awaited,
        },
        OperationState::Open => TrialView::NotKnown {
            reason: match last.map(|last| &last.outcome) {
                Some(Outcome::Ongoing) => Some(Reason::new("the participant has not finished")),
                Some(Outcome::Unknown { .. } | Outcome::Success | Outcome::Failure { .. })
                | None => reason,
            },
        },
    }
}
