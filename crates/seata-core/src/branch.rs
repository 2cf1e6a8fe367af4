//! What is known of each branch, under every mode.

use std::sync::Arc;

use crate::definition::BranchDefinition;
use crate::event::{Answered, CompletionEnd};
use crate::operation::{AttemptId, FencingToken, Operation, Outcome};
use crate::time::UnixMillis;

/// How far one operation of one branch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationState {
    /// Not settled: not called yet, in flight, or to be called again.
    Open,
    /// It was done.
    Succeeded(By),
    /// It was refused.
    Refused(By),
    /// An operator counts it as done.
    Skipped,
}

impl OperationState {
    /// Answers whether an answer to a call is still news: it is recorded, though what was settled from outside stays.
    pub(crate) const fn takes_answers(self) -> bool {
        match self {
            Self::Open
            | Self::Skipped
            | Self::Succeeded(By::Outside)
            | Self::Refused(By::Outside) => true,
            Self::Succeeded(By::Participant) | Self::Refused(By::Participant) => false,
        }
    }
}

/// Who told how an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The participant, in its answer to a call.
    Participant,
    /// Somebody who completed it from outside. A call may still be on its way.
    Outside,
}

/// Whether a call may have taken effect although no success is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trace {
    /// No call ended without a settling answer.
    Clean,
    /// An attempt was unknown or ongoing, or another driver may have made one.
    Doubtful,
}

/// The last answer to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastAnswer {
    pub(crate) attempt: AttemptId,
    pub(crate) outcome: Outcome,
    pub(crate) at: UnixMillis,
}

/// The progress of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: OperationState,
    pub(crate) trace: Trace,
    /// The call in flight. Known to the driver alone, never stored.
    pub(crate) flight: Option<AttemptId>,
    /// Calls that were answered or broke off.
    pub(crate) calls: u32,
    /// Those of them that count as attempts: all but `Ongoing`.
    pub(crate) attempts: u32,
    /// Answers that stand in the history one by one.
    pub(crate) recorded: u32,
    pub(crate) last: Option<LastAnswer>,
}

impl Progress {
    const NEW: Self = Self {
        state: OperationState::Open,
        trace: Trace::Clean,
        flight: None,
        calls: 0,
        attempts: 0,
        recorded: 0,
        last: None,
    };

    /// Notes an answer, whatever follows from it.
    pub(crate) fn note(&mut self, answered: &Answered, at: UnixMillis) {
        self.calls = self.calls.saturating_add(1);
        self.recorded = self.recorded.saturating_add(1);
        match answered.outcome {
            Outcome::Success | Outcome::Failure { .. } => {
                self.attempts = self.attempts.saturating_add(1)
            }
            Outcome::Unknown { .. } => {
                self.attempts = self.attempts.saturating_add(1);
                self.trace = Trace::Doubtful;
            }
            Outcome::Ongoing => self.trace = Trace::Doubtful,
        }
        // It was called and did it, whatever was said from outside before: its effect may have to be undone.
        if self.state == OperationState::Refused(By::Outside)
            && answered.outcome == Outcome::Success
        {
            self.trace = Trace::Doubtful;
        }
        let completed = match self.state {
            OperationState::Succeeded(By::Outside) | OperationState::Refused(By::Outside) => {
                self.last.take()
            }
            OperationState::Open
            | OperationState::Skipped
            | OperationState::Succeeded(By::Participant)
            | OperationState::Refused(By::Participant) => None,
        };
        // What was said from outside stays what is told.
        let (outcome, at) = completed.map_or_else(
            || (answered.outcome.clone(), at),
            |last| (last.outcome, last.at),
        );
        self.last = Some(LastAnswer {
            attempt: answered.attempt,
            outcome,
            at,
        });
    }

    /// Settles the operation from outside, and notes what was said in the place of an answer.
    pub(crate) fn complete(&mut self, end: &CompletionEnd, at: UnixMillis) {
        let outcome = match end {
            CompletionEnd::Succeeded => {
                self.state = OperationState::Succeeded(By::Outside);
                Outcome::Success
            }
            CompletionEnd::Failed { reason } => {
                self.state = OperationState::Refused(By::Outside);
                Outcome::Failure {
                    reason: reason.clone(),
                }
            }
        };
        // No attempt was answered: none becomes known by this.
        let attempt = self.last.as_ref().map_or(
            AttemptId {
                token: FencingToken(0),
                number: 0,
            },
            |last| last.attempt,
        );
        self.last = Some(LastAnswer {
            attempt,
            outcome,
            at,
        });
    }

    /// Answers whether this attempt's answer is recorded already. An operation is called again only once the attempt
    /// before has ended, so answers are recorded in the order of their attempts.
    pub(crate) fn knows(&self, attempt: AttemptId) -> bool {
        self.last
            .as_ref()
            .is_some_and(|last| last.attempt >= attempt)
    }

    pub(crate) fn next_number(&self) -> u32 {
        self.calls.saturating_add(1)
    }
}

/// Where the order to make an attempt at a try stands, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// No attempt is asked for.
    Idle,
    /// The initiator asked for one.
    Requested,
    /// A driver made one, which has ended at the latest then.
    Calling { until: UnixMillis },
}

/// How far a try has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) progress: Progress,
    pub(crate) stage: Stage,
    /// Until when a call of a lost driver may still be on its way.
    pub(crate) doubt_until: Option<UnixMillis>,
}

impl Trial {
    const NEW: Self = Self {
        progress: Progress::NEW,
        stage: Stage::Idle,
        doubt_until: None,
    };

    /// Answers until when a call may be on its way whose answer is not recorded.
    pub(crate) fn held_until(&self) -> Option<UnixMillis> {
        match self.stage {
            Stage::Idle | Stage::Requested => self.doubt_until,
            Stage::Calling { until } => self.doubt_until.max(Some(until)),
        }
    }

    /// Forgets who makes the call in flight, but not until when it may be on its way.
    pub(crate) fn doubt(&mut self) {
        match self.stage {
            Stage::Idle | Stage::Requested => {}
            Stage::Calling { .. } => {
                self.doubt_until = self.held_until();
                self.stage = Stage::Idle;
                self.progress.trace = Trace::Doubtful;
            }
        }
    }

    /// Answers whether the driver is to make an attempt now.
    pub(crate) fn is_due(&self) -> bool {
        self.stage == Stage::Requested
            && self.progress.state == OperationState::Open
            && self.progress.flight.is_none()
    }
}

/// Calls in flight, as the driver knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Flights {
    /// Actions or confirms.
    pub(crate) forward: u32,
    /// Compensations or cancels.
    pub(crate) backward: u32,
    pub(crate) trials: u32,
}

impl Flights {
    pub(crate) const NONE: Self = Self {
        forward: 0,
        backward: 0,
        trials: 0,
    };

    pub(crate) const fn all(self) -> u32 {
        self.forward + self.backward + self.trials
    }

    /// Notes a call of a branch in flight.
    pub(crate) fn begin(&mut self, branch: &mut Branch, operation: Operation, attempt: AttemptId) {
        let flight = &mut branch.progress_mut(operation).flight;
        if flight.replace(attempt).is_none() {
            *self.of_mut(operation) += 1;
        }
    }

    /// Notes that a call of a branch is in flight no more, whatever its answer changes. Answers whether it was.
    pub(crate) fn end(
        &mut self,
        branch: &mut Branch,
        operation: Operation,
        attempt: AttemptId,
    ) -> bool {
        let flight = &mut branch.progress_mut(operation).flight;
        let flew = *flight == Some(attempt);
        if flew {
            *flight = None;
            *self.of_mut(operation) -= 1;
        }
        flew
    }

    const fn of_mut(&mut self, operation: Operation) -> &mut u32 {
        match operation {
            Operation::Action | Operation::Confirm => &mut self.forward,
            Operation::Compensation | Operation::Cancel => &mut self.backward,
            Operation::Try => &mut self.trials,
        }
    }
}

/// One branch: what was asked for and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) definition: Arc<BranchDefinition>,
    /// Of the operation that makes the work last: the action or the confirm.
    pub(crate) forward: Progress,
    /// Of the operation that takes the work back: the compensation or the cancel.
    pub(crate) backward: Progress,
    /// Of the try; nothing ever happens to it in a saga.
    pub(crate) trial: Trial,
}

impl Branch {
    pub(crate) fn new(definition: Arc<BranchDefinition>) -> Self {
        Self {
            definition,
            forward: Progress::NEW,
            backward: Progress::NEW,
            trial: Trial::NEW,
        }
    }

    pub(crate) fn progress(&self, operation: Operation) -> &Progress {
        match operation {
            Operation::Action | Operation::Confirm => &self.forward,
            Operation::Compensation | Operation::Cancel => &self.backward,
            Operation::Try => &self.trial.progress,
        }
    }

    pub(crate) fn progress_mut(&mut self, operation: Operation) -> &mut Progress {
        match operation {
            Operation::Action | Operation::Confirm => &mut self.forward,
            Operation::Compensation | Operation::Cancel => &mut self.backward,
            Operation::Try => &mut self.trial.progress,
        }
    }
}
