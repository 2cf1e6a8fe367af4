//! Wrong input: an expected answer, with what a caller must know to mend it.

use crate::definition::Fingerprint;
use crate::event::BranchIndex;
use crate::id::BranchId;
use crate::operation::{Mode, Operation, Status};
use crate::text::Reason;

/// Why an input changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The branch is known with other content.
    #[error("branch {branch_id} was added before with other content")]
    BranchConflict {
        /// Which.
        branch_id: BranchId,
    },
    /// The coordinator is asked for a try that the initiator said it calls itself.
    #[error(
        "branch {branch_id} was registered for the initiator to call its try: call it yourself, or take another branch_id to have it called"
    )]
    TryOfInitiator {
        /// Whose.
        branch_id: BranchId,
    },
    /// The initiator wants to call a try that it has asked the coordinator for.
    #[error(
        "branch {branch_id} was added for the coordinator to call its try: send the same try again, or take another branch_id to call it yourself"
    )]
    TryOfCoordinator {
        /// Whose.
        branch_id: BranchId,
    },
    /// Two branches of one request have the same name.
    #[error("branch {branch_id} is given twice: give each branch a name of its own")]
    BranchTwice {
        /// Which.
        branch_id: BranchId,
    },
    /// `after` names a branch that doesn't exist.
    #[error("{}", unknown_after(.branch_id, .unknown))]
    AfterUnknown {
        /// Whose `after`.
        branch_id: BranchId,
        /// The name in it.
        unknown: BranchId,
    },
    /// `after` goes round in a circle.
    #[error("{}", cycle(.names))]
    AfterCycle {
        /// The circle, first name first.
        names: Vec<BranchId>,
    },
    /// There is nothing to run.
    #[error("the transaction has no branches: add one before submitting")]
    NoBranches,
    /// No branch has this name.
    #[error("no branch {branch_id} in this transaction")]
    UnknownBranch {
        /// The name.
        branch_id: BranchId,
    },
    /// The state of the transaction does not allow it.
    #[error("the transaction is {status}: it can't be {asked} any more")]
    WrongStatus {
        /// What was asked, as a participle.
        asked: &'static str,
        /// The state as it is.
        status: Status,
    },
    /// The operation is not waiting to be done.
    #[error("the {operation} of branch {branch_id} is not open: nothing to skip")]
    OperationNotOpen {
        /// Whose.
        branch_id: BranchId,
        /// Which.
        operation: Operation,
    },
    /// The transaction, or a branch in the request, is of another mode.
    #[error("the transaction is a {mode}: it can't be {asked}")]
    WrongMode {
        /// What was asked, as a participle.
        asked: &'static str,
        /// The transaction's mode.
        mode: Mode,
    },
    /// The coordinator is to call a try that nobody told it where to call.
    #[error("branch {branch_id} has no endpoint for its try: give one, or register the branch")]
    NoTryEndpoint {
        /// Whose.
        branch_id: BranchId,
    },
    /// A try of the coordinator's is not known to have succeeded, so that nothing may be confirmed.
    #[error(
        "the try of branch {branch_id} is not known to have succeeded: send the same try again, or abort"
    )]
    TryNotKnown {
        /// Whose.
        branch_id: BranchId,
    },
    /// A try was refused, so that nothing may be confirmed.
    #[error("branch {branch_id} refused its try{}; abort the transaction", .reason.behind_colon())]
    TryRefused {
        /// Whose.
        branch_id: BranchId,
        /// What was said.
        reason: Reason,
    },
    /// The operation has not been asked for, or is not asked for any more.
    #[error("the {operation} of branch {branch_id} is not asked for now: it can't be completed")]
    NotToComplete {
        /// Whose.
        branch_id: BranchId,
        /// Which.
        operation: Operation,
    },
    /// The operation has ended the other way.
    #[error("the {operation} of branch {branch_id} has {ended} already")]
    CompletedOtherwise {
        /// Whose.
        branch_id: BranchId,
        /// Which.
        operation: Operation,
        /// How it ended, as a participle.
        ended: &'static str,
    },
    /// A completion or a skip without a named operation may mean an earlier one, which was completed so before or is not settled.
    #[error(
        "this may mean the {before} of branch {branch_id} or its {operation}: name the operation that is meant"
    )]
    OperationUnclear {
        /// Whose.
        branch_id: BranchId,
        /// The one of the direction before.
        before: Operation,
        /// The one of the present direction.
        operation: Operation,
    },
    /// Nothing waits or was refused.
    #[error("nothing waits for another attempt")]
    NothingToRetry,
}

impl Rejection {
    /// Says that no branch stands at this position: named by the position, for it has no other name.
    pub(crate) fn no_branch_at(branch: BranchIndex) -> Self {
        let branch_id =
            BranchId::parse(&branch.0.to_string()).expect("invariant: a number makes a branch id");
        Self::UnknownBranch { branch_id }
    }
}

/// A branch that is added after itself is not known yet, and never will be.
fn unknown_after(branch_id: &BranchId, unknown: &BranchId) -> String {
    if branch_id == unknown {
        return itself(branch_id);
    }
    format!("branch {branch_id} comes after {unknown}, which is no branch of this transaction")
}

fn cycle(names: &[BranchId]) -> String {
    match names {
        [alone] => itself(alone),
        several => {
            let names: Vec<_> = several.iter().map(BranchId::as_str).collect();
            let names = names.join(" → ");
            format!("the branches {names} wait for each other: remove one `after`")
        }
    }
}

fn itself(branch_id: &BranchId) -> String {
    format!("branch {branch_id} waits for itself: take it out of its own `after`")
}

/// Says whether two requests for the same name ask for the same.
pub(crate) fn same_content(one: Fingerprint, other: Fingerprint) -> bool {
    one == other
}
