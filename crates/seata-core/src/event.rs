//! Facts about a transaction: what is recorded, and what the state is folded from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::definition::{BranchDefinition, Definition};
use crate::operation::{AttemptId, FencingToken, Operation, Outcome};
use crate::text::Reason;
use crate::time::UnixMillis;

/// Points at a branch by its position in the order as added, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchIndex(pub u32);

impl BranchIndex {
    pub(crate) const fn at(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Debug for BranchIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

/// A fact with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Counts the events of the transaction from 1. Compaction leaves gaps and never renumbers.
    pub number: u32,
    /// When it was decided, by the store's clock.
    pub at: UnixMillis,
    /// What happened.
    pub fact: Fact,
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every branch took effect.
    Committed,
    /// No branch's effect remains.
    Aborted,
}

impl End {
    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "COMMITTED",
            Self::Aborted => "ABORTED",
        }
    }
}

/// Why a transaction is or was aborted: why a saga turned round, or a TCC was cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbortCause {
    /// A participant refused its action.
    Refused {
        /// Whose.
        branch: BranchIndex,
    },
    /// An action used up its attempts.
    AttemptLimit {
        /// Whose.
        branch: BranchIndex,
    },
    /// `timeout_to_fail` passed.
    Deadline,
    /// The initiator asked for it.
    Requested {
        /// What the initiator said.
        reason: Reason,
    },
    /// `prepared_timeout` passed without a submission.
    NeverSubmitted,
}

/// How an operation ended that was completed from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompletionEnd {
    /// It was done.
    Succeeded,
    /// It was refused.
    Failed {
        /// Why.
        reason: Reason,
    },
}

impl CompletionEnd {
    /// Answers the word used in histories.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed { .. } => "failed",
        }
    }
}

/// The answer to one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whose.
    pub branch: BranchIndex,
    /// What was asked.
    pub operation: Operation,
    /// Which call.
    pub attempt: AttemptId,
    /// The answer.
    pub outcome: Outcome,
    /// How long the call took.
    pub took: Duration,
    /// When it is called again. None: it isn't, by this answer.
    pub next_attempt_at: Option<UnixMillis>,
}

/// What happened. Variants are never removed and their meaning never changes: they are what stores hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The transaction began. Always the first event, and only the first.
    Created(Arc<Definition>),
    /// A branch was added before submission.
    BranchAdded(Arc<BranchDefinition>),
    /// The initiator submitted: every action will be called. The time of this event begins the deadline.
    Submitted,
    /// The initiator asks to abort; the driver decides.
    AbortRequested {
        /// What the initiator said.
        reason: Reason,
    },
    /// A participant answered, or its call ended without an answer.
    Answered(Answered),
    /// Another driver took over: every action without a recorded answer is in doubt.
    Recovered {
        /// The last token that was given out when it looked: no calls under it or an earlier one are left untold.
        token: FencingToken,
    },
    /// The decision to abort, and what must be compensated.
    TurnedRound {
        /// Why.
        cause: AbortCause,
        /// The branches that may have taken effect, in the order as added.
        compensate: Vec<BranchIndex>,
    },
    /// The end: every branch took effect.
    Committed,
    /// The end: no effect remains.
    Aborted,
    /// Nothing can go on without an operator.
    Stuck {
        /// Why.
        reason: Reason,
    },
    /// An operator ordered to try again at once.
    Retried {
        /// Which branch; none: all that wait or were refused.
        branch: Option<BranchIndex>,
        /// Why.
        reason: Reason,
    },
    /// An operator ordered to count an operation as done.
    Skipped {
        /// Whose.
        branch: BranchIndex,
        /// Which.
        operation: Operation,
        /// Why.
        reason: Reason,
    },
    /// An operator ordered the end.
    Forced {
        /// Which end.
        to: End,
        /// Why.
        reason: Reason,
    },
    /// The initiator asks for a try; the driver makes one attempt.
    TryRequested {
        /// Whose.
        branch: BranchIndex,
    },
    /// The driver is about to make the attempt at a try that was asked for.
    TryBegun {
        /// Whose.
        branch: BranchIndex,
        /// Counts the calls of this try from 1.
        number: u32,
        /// When the call has ended at the latest, on whichever server: until then no cancel is called unless its
        /// answer is known.
        until: UnixMillis,
    },
    /// An operation was completed from outside.
    Completed {
        /// Whose.
        branch: BranchIndex,
        /// Which.
        operation: Operation,
        /// How.
        end: CompletionEnd,
    },
    /// The initiator wants the waiting attempt of a decided branch made at once.
    Hurried {
        /// Whose.
        branch: BranchIndex,
    },
    /// Stands for attempts in the middle of a long history, all unknown or ongoing, that are no longer kept.
    Elided {
        /// Whose.
        branch: BranchIndex,
        /// Of which operation.
        operation: Operation,
        /// How many calls.
        calls: u32,
        /// How many of them count as attempts.
        attempts: u32,
    },
}

impl Fact {
    /// Answers the word used in histories.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::BranchAdded(_) => "branch_added",
            Self::Submitted => "submitted",
            Self::AbortRequested { .. } => "abort_requested",
            Self::Answered(_) => "answered",
            Self::Recovered { .. } => "recovered",
            Self::TurnedRound { .. } => "turned_round",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Stuck { .. } => "stuck",
            Self::Retried { .. } => "retried",
            Self::Skipped { .. } => "skipped",
            Self::Forced { .. } => "forced",
            Self::TryRequested { .. } => "try_requested",
            Self::TryBegun { .. } => "try_begun",
            Self::Completed { .. } => "completed",
            Self::Hurried { .. } => "hurried",
            Self::Elided { .. } => "elided",
        }
    }
}
