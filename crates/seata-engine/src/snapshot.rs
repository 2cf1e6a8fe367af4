//! What the engine tells of a transaction: appended events only, and which calls are in flight here.

use std::sync::Arc;

use seata_core::{BranchId, CompletionEnd, End, Operation, Reason, Status, Transaction};
use seata_store::Header;

/// A transaction as of its last append.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The state, folded from appended events; calls in flight in this process are noted in it.
    pub transaction: Arc<Transaction>,
    /// What the store may read of it.
    pub header: Header,
}

impl Snapshot {
    /// Answers the state: the header's, which says STUCK even if a record can't go on for a reason of ours.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.header.status
    }
}

/// What waiting for an end gave.
#[derive(Debug, Clone)]
pub enum Waited {
    /// It has ended, or is stuck.
    Settled(Snapshot),
    /// It goes on.
    Pending(Snapshot),
}

/// An operator's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Try again at once.
    Retry {
        /// Which branch; none: all that wait or were refused.
        branch: Option<BranchId>,
        /// Why.
        reason: Reason,
    },
    /// Count an operation as done.
    Skip {
        /// Whose.
        branch: BranchId,
        /// Which; none: the one of the present direction, refused if an earlier one may be meant.
        operation: Option<Operation>,
        /// Why.
        reason: Reason,
    },
    /// End it.
    Force {
        /// How.
        to: End,
        /// Why.
        reason: Reason,
    },
}

/// What is known of a try that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryAnswer {
    /// It succeeded: it can be confirmed.
    Succeeded,
    /// The participant refused it: the transaction can only be aborted.
    Refused {
        /// What the participant said.
        reason: Reason,
    },
    /// Nobody knows yet: ask again with the same content.
    NotKnown {
        /// What was seen instead of an answer, if anything was.
        reason: Option<Reason>,
    },
}

/// What asking for a try gave.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The transaction as of its last append.
    pub snapshot: Snapshot,
    /// What is known of the try.
    pub answer: TryAnswer,
}

/// Says that an operation was completed from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Whose.
    pub branch: BranchId,
    /// Which; none: the one of the present direction, refused if an earlier one may be meant.
    pub operation: Option<Operation>,
    /// How.
    pub end: CompletionEnd,
}
