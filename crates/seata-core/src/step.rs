//! What goes into a step and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::definition::BranchDefinition;
use crate::event::{BranchIndex, CompletionEnd, End, Event, Fact};
use crate::operation::{AttemptId, FencingToken, Operation, Outcome};
use crate::text::Reason;
use crate::time::UnixMillis;

/// What happened outside, or what somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody looks: decide what can be decided, call what can be called. Only for a driver.
    Wake,
    /// Add a branch; of a TCC: register it.
    AddBranch(Arc<BranchDefinition>),
    /// Register a branch of a TCC, if it isn't yet, and ask for one attempt at its try.
    Try(Arc<BranchDefinition>),
    /// Confirm a branch of a TCC: decides for all while undecided, and else hurries this one.
    Confirm {
        /// Which.
        branch: BranchIndex,
    },
    /// Cancel a branch of a TCC: decides for all while undecided, and else hurries this one.
    Cancel {
        /// Which.
        branch: BranchIndex,
    },
    /// An operation was completed from outside.
    Complete {
        /// Whose.
        branch: BranchIndex,
        /// Which; none: the one of the present direction, refused if an earlier one may be meant.
        operation: Option<Operation>,
        /// How.
        end: CompletionEnd,
    },
    /// Submit.
    Submit,
    /// Ask to abort.
    Abort {
        /// Why.
        reason: Reason,
    },
    /// A call of this driver ended. Only for a driver.
    Answered {
        /// Whose.
        branch: BranchIndex,
        /// What was asked.
        operation: Operation,
        /// Which call.
        attempt: AttemptId,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
    },
    /// This reader takes over from a driver whose calls it doesn't know. Only for a driver, and before anything else.
    Recover {
        /// The token under which it drives.
        token: FencingToken,
    },
    /// An operator: try again at once.
    Retry {
        /// Which branch; none: all.
        branch: Option<BranchIndex>,
        /// Why.
        reason: Reason,
    },
    /// An operator: count an operation as done.
    Skip {
        /// Whose.
        branch: BranchIndex,
        /// Which; none: the one of the present direction, refused if an earlier one may be meant.
        operation: Option<Operation>,
        /// Why.
        reason: Reason,
    },
    /// An operator: end it.
    Force {
        /// How.
        to: End,
        /// Why.
        reason: Reason,
    },
}

/// One call to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Whose.
    pub branch: BranchIndex,
    /// What is asked.
    pub operation: Operation,
    /// Counts the calls of this operation from 1.
    pub number: u32,
}

/// An order to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Call a participant.
    Call(Call),
}

/// Who looks at the transaction next. An open record can't be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Whoever drives it, at the latest at this time. A time that has passed means: as soon as nobody holds the lease.
    WakeAt(UnixMillis),
    /// An operator.
    Operator,
    /// Nobody: it has ended.
    Nobody,
}

/// Whether the events must be durable before the effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppendMode {
    /// The events may travel with the next append: a recovery repeats what was lost (docs/adr/0004).
    Behind,
    /// The events must be durable first.
    BeforeEffects,
}

/// What the core decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What to record, in this order.
    pub events: Vec<Event>,
    /// What to do then.
    pub effects: Vec<Effect>,
    /// Who looks next, once events are applied and effects begun.
    pub next: Next,
    /// Whether events come before effects.
    pub append: AppendMode,
}

impl Step {
    /// Adds what a later step decided.
    pub fn then(&mut self, later: Self) {
        add(&mut self.events, later.events);
        add(&mut self.effects, later.effects);
        self.next = later.next;
        self.append = self.append.max(later.append);
    }

    /// Makes calls, if there are any. Somebody looks as soon as nobody holds the lease.
    pub(crate) fn calling(mut self, calls: Vec<Effect>, now: UnixMillis) -> Self {
        if !calls.is_empty() {
            self.next = Next::WakeAt(now);
        }
        self.effects = calls;
        self
    }
}

/// Adds what came later. Most often one of the two is empty.
fn add<T>(all: &mut Vec<T>, later: Vec<T>) {
    if all.is_empty() {
        *all = later;
    } else {
        all.extend(later);
    }
}

/// Says who looks next once a fact is recorded. Whether anything follows from it is for the next step to say, so
/// somebody looks at once; only a new branch changes nothing.
pub(crate) fn next_after(fact: &Fact, unchanged: impl FnOnce() -> Next, now: UnixMillis) -> Next {
    match fact {
        Fact::Committed | Fact::Aborted => Next::Nobody,
        Fact::Stuck { .. } => Next::Operator,
        Fact::BranchAdded(_) => unchanged(),
        Fact::Created(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::Answered(_)
        | Fact::Recovered { .. }
        | Fact::TurnedRound { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. }
        | Fact::Elided { .. } => Next::WakeAt(now),
    }
}

/// Says whether a fact must be durable before what follows from it.
pub(crate) fn append_mode(fact: &Fact) -> AppendMode {
    match fact {
        Fact::Answered(answered) => match answered.outcome {
            Outcome::Success if answered.operation == Operation::Try => AppendMode::BeforeEffects,
            Outcome::Success => AppendMode::Behind,
            Outcome::Failure { .. } | Outcome::Ongoing | Outcome::Unknown { .. } => {
                AppendMode::BeforeEffects
            }
        },
        Fact::Recovered { .. } => AppendMode::Behind,
        Fact::TurnedRound { .. }
            if crate::planted::is(crate::planted::Planted::DecisionNotDurable) =>
        {
            AppendMode::Behind
        }
        Fact::Created(_)
        | Fact::BranchAdded(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::TurnedRound { .. }
        | Fact::Committed
        | Fact::Aborted
        | Fact::Stuck { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. }
        | Fact::Elided { .. } => AppendMode::BeforeEffects,
    }
}
