//! What anyone may see of a transaction: closed sets of words, and what it waits for.

use std::sync::Arc;

use crate::agenda::Place;
use crate::branch::{Branch, OperationState, Progress, Trace};
use crate::definition::BranchDefinition;
use crate::event::{AbortCause, BranchIndex};
use crate::id::BranchId;
use crate::operation::{Operation, Outcome};
use crate::saga::{Phase, Saga, Side};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::{ModeState, Transaction};

/// The state of a branch as everyone may know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BranchStatus {
    /// Not called, as far as is known.
    Prepared,
    /// Its action was called and is not settled.
    Acting,
    /// Its action took effect, or an operator counts it as done.
    Succeeded,
    /// It refused, and did nothing.
    Refused,
    /// It may have taken effect; its compensation has not begun, or nobody asks on since the transaction has ended.
    InDoubt,
    /// Its compensation was called and is not settled, or was refused.
    Compensating,
    /// Undone, or an operator counts it as undone.
    Compensated,
    /// Registered (TCC); nothing is known of its try.
    Registered,
    /// Its try was asked for and is not answered.
    Trying,
    /// Its try succeeded.
    Tried,
    /// Its confirm is to be called, and may have been.
    Confirming,
    /// Confirmed, or an operator counts it as confirmed.
    Confirmed,
    /// Its cancel is to be called, and may have been.
    Cancelling,
    /// Cancelled, or an operator counts it as cancelled.
    Cancelled,
}

impl BranchStatus {
    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "PREPARED",
            Self::Acting => "ACTING",
            Self::Succeeded => "SUCCEEDED",
            Self::Refused => "REFUSED",
            Self::InDoubt => "IN_DOUBT",
            Self::Compensating => "COMPENSATING",
            Self::Compensated => "COMPENSATED",
            Self::Registered => "REGISTERED",
            Self::Trying => "TRYING",
            Self::Tried => "TRIED",
            Self::Confirming => "CONFIRMING",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// The state of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationStatus {
    /// Not settled.
    Open,
    /// A call is in flight.
    Calling,
    /// The participant did it.
    Succeeded,
    /// The participant refused it.
    Refused,
    /// An operator counts it as done.
    Skipped,
}

impl OperationStatus {
    /// Answers the word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Calling => "CALLING",
            Self::Succeeded => "SUCCEEDED",
            Self::Refused => "REFUSED",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// One operation of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationView {
    /// Which.
    pub operation: Operation,
    /// Its state.
    pub status: OperationStatus,
    /// Calls that ended.
    pub calls: u32,
    /// Those that count as attempts: all but `Ongoing`.
    pub attempts: u32,
    /// The last answer.
    pub last: Option<Outcome>,
    /// When it is called again.
    pub next_attempt_at: Option<UnixMillis>,
}

/// One branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchView {
    /// Its position.
    pub index: BranchIndex,
    /// What was asked for.
    pub definition: Arc<BranchDefinition>,
    /// Its state.
    pub status: BranchStatus,
    /// Its operations that were called, are due or are waiting.
    pub operations: Vec<OperationView>,
}

/// What an open transaction waits for first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitingFor {
    /// The initiator's submission, at the latest until then.
    Submission {
        /// When it is aborted otherwise.
        until: UnixMillis,
    },
    /// The answer to a call.
    Answer {
        /// Whose.
        branch_id: BranchId,
        /// To what.
        operation: Operation,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// The time limit of a try that nobody answered: only then its cancel or confirm is called.
    TryLimit {
        /// Whose.
        branch_id: BranchId,
        /// When.
        until: UnixMillis,
    },
    /// The time of the next attempt.
    Attempt {
        /// Whose.
        branch_id: BranchId,
        /// Of what.
        operation: Operation,
        /// Which attempt, from 1.
        attempt: u32,
        /// When.
        at: UnixMillis,
        /// The last answer.
        last: Option<Outcome>,
    },
    /// An operator.
    Operator {
        /// Why.
        reason: Reason,
    },
    /// A coordinator that goes on with it.
    Coordinator,
}

impl Transaction {
    /// Answers all branches, in the order as added.
    #[must_use]
    pub fn branches(&self) -> Vec<BranchView> {
        let ModeState::Saga(saga) = &self.state;
        self.table
            .iter()
            .map(|(index, branch)| view(saga, index, branch))
            .collect()
    }

    /// Answers why it was or will be aborted.
    #[must_use]
    pub const fn abort_cause(&self) -> Option<&AbortCause> {
        let ModeState::Saga(saga) = &self.state;
        saga.cause.as_ref()
    }

    /// Answers the operator's reason, if one skipped or forced something: the end is not the participants' own (P3).
    #[must_use]
    pub const fn overridden(&self) -> Option<&Reason> {
        let ModeState::Saga(saga) = &self.state;
        saga.overridden.as_ref()
    }

    /// Answers when it turns round by itself: the deadline of a submitted saga.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixMillis> {
        let ModeState::Saga(saga) = &self.state;
        match saga.side()? {
            Side::Running { submitted_at, .. } => self
                .options()
                .timeout_to_fail
                .map(|limit| submitted_at.plus(limit)),
            Side::Prepared | Side::Aborting { .. } => None,
        }
    }

    /// Answers whether a person should look: it is stuck, or an operation used many attempts.
    #[must_use]
    pub fn attention(&self) -> Option<Reason> {
        let ModeState::Saga(saga) = &self.state;
        match &saga.phase {
            Phase::Ended(_) => None,
            Phase::Stuck { reason, .. } => Some(reason.clone()),
            Phase::Open(_) => {
                let limit = self.options().attention_attempts.max(1);
                let operation = saga.operation()?;
                let agenda = saga.agenda()?;
                let (branch, attempts) = agenda.unsettled().find_map(|index| {
                    let branch = self.table.get(index)?;
                    let attempts = branch.progress(operation).attempts;
                    (attempts >= limit).then_some((branch, attempts))
                })?;
                let name = &branch.definition.branch_id;
                Some(Reason::new(&format!(
                    "branch {name}: {attempts} attempts of its {operation} without success"
                )))
            }
        }
    }

    /// Answers what an open transaction waits for first; none once it has ended.
    #[must_use]
    pub fn waiting_for(&self) -> Option<WaitingFor> {
        let ModeState::Saga(saga) = &self.state;
        match &saga.phase {
            Phase::Ended(_) => None,
            Phase::Stuck { reason, .. } => Some(WaitingFor::Operator {
                reason: reason.clone(),
            }),
            // An order is recorded that the driver has yet to carry out.
            Phase::Open(Side::Prepared) if saga.cause.is_some() || saga.forced.is_some() => {
                Some(WaitingFor::Coordinator)
            }
            Phase::Open(Side::Prepared) => Some(WaitingFor::Submission {
                until: self.created_at.plus(self.options().prepared_timeout),
            }),
            Phase::Open(Side::Running { .. } | Side::Aborting { .. }) => {
                Some(self.waiting_for_branch(saga))
            }
        }
    }

    fn waiting_for_branch(&self, saga: &Saga) -> WaitingFor {
        let flying = self.table.iter().find_map(|(_, branch)| {
            let operation = [Operation::Action, Operation::Compensation]
                .into_iter()
                .find(|operation| branch.progress(*operation).flight.is_some())?;
            Some((
                branch.definition.branch_id.clone(),
                operation,
                branch.progress(operation).next_number(),
            ))
        });
        if let Some((branch_id, operation, attempt)) = flying {
            return WaitingFor::Answer {
                branch_id,
                operation,
                attempt,
            };
        }
        let waiting = saga
            .operation()
            .zip(saga.agenda())
            .and_then(|(operation, agenda)| {
                agenda
                    .unsettled()
                    .filter_map(|index| match agenda.place(index) {
                        Place::Waiting(at) => self.table.get(index).map(|branch| (at, branch)),
                        Place::Blocked
                        | Place::Ready
                        | Place::Calling
                        | Place::Halted
                        | Place::Settled => None,
                    })
                    .min_by_key(|(at, _)| *at)
                    .map(|(at, branch)| (at, branch, operation))
            });
        match waiting {
            Some((at, branch, operation)) => {
                let progress = branch.progress(operation);
                WaitingFor::Attempt {
                    branch_id: branch.definition.branch_id.clone(),
                    operation,
                    attempt: progress.next_number(),
                    at,
                    last: progress.last.as_ref().map(|last| last.outcome.clone()),
                }
            }
            None => WaitingFor::Coordinator,
        }
    }
}

fn view(saga: &Saga, index: BranchIndex, branch: &Branch) -> BranchView {
    let operations = [Operation::Action, Operation::Compensation]
        .into_iter()
        .filter_map(|operation| operation_view(saga, index, branch, operation))
        .collect();
    BranchView {
        index,
        definition: Arc::clone(&branch.definition),
        status: status(saga, index, branch),
        operations,
    }
}

/// Answers the place on the agenda, if this operation is the one of the present direction.
fn place(saga: &Saga, index: BranchIndex, operation: Operation) -> Option<Place> {
    match saga.operation() {
        Some(current) if current == operation => saga.agenda().map(|agenda| agenda.place(index)),
        Some(_) | None => None,
    }
}

fn operation_view(
    saga: &Saga,
    index: BranchIndex,
    branch: &Branch,
    operation: Operation,
) -> Option<OperationView> {
    let progress = branch.progress(operation);
    let status = operation_status(saga, progress);
    let place = place(saga, index, operation);
    let due = match place {
        Some(Place::Ready | Place::Waiting(_) | Place::Calling | Place::Halted) => true,
        Some(Place::Blocked | Place::Settled) | None => false,
    };
    let touched = progress.calls > 0
        || status != OperationStatus::Open
        || (is_ended(saga) && progress.trace == Trace::Doubtful);
    (due || touched).then(|| OperationView {
        operation,
        status,
        calls: progress.calls,
        attempts: progress.attempts,
        last: progress.last.as_ref().map(|last| last.outcome.clone()),
        next_attempt_at: match place {
            Some(Place::Waiting(at)) => Some(at),
            Some(
                Place::Blocked | Place::Ready | Place::Calling | Place::Halted | Place::Settled,
            )
            | None => None,
        },
    })
}

fn is_ended(saga: &Saga) -> bool {
    match &saga.phase {
        Phase::Open(_) | Phase::Stuck { .. } => false,
        Phase::Ended(_) => true,
    }
}

fn operation_status(saga: &Saga, progress: &Progress) -> OperationStatus {
    match progress.state {
        OperationState::Open if progress.flight.is_some() && !is_ended(saga) => {
            OperationStatus::Calling
        }
        OperationState::Open => OperationStatus::Open,
        OperationState::Succeeded => OperationStatus::Succeeded,
        OperationState::Refused => OperationStatus::Refused,
        OperationState::Skipped => OperationStatus::Skipped,
    }
}

fn status(saga: &Saga, index: BranchIndex, branch: &Branch) -> BranchStatus {
    if is_ended(saga) {
        status_at_end(branch)
    } else {
        status_while_open(saga, index, branch)
    }
}

/// Nobody asks on: what no answer tells stays unknown, and a call that still flies changes nothing of that.
fn status_at_end(branch: &Branch) -> BranchStatus {
    let (undone, done) = (&branch.backward, &branch.forward);
    match (undone.state, undone.trace) {
        (OperationState::Succeeded | OperationState::Skipped, _) => {
            return BranchStatus::Compensated;
        }
        (OperationState::Open | OperationState::Refused, Trace::Doubtful) => {
            return BranchStatus::InDoubt;
        }
        (OperationState::Open | OperationState::Refused, Trace::Clean) => {}
    }
    match (done.state, done.trace) {
        (OperationState::Succeeded | OperationState::Skipped, _) => BranchStatus::Succeeded,
        (OperationState::Open | OperationState::Refused, Trace::Doubtful) => BranchStatus::InDoubt,
        (OperationState::Refused, Trace::Clean) => BranchStatus::Refused,
        (OperationState::Open, Trace::Clean) => BranchStatus::Prepared,
    }
}

fn status_while_open(saga: &Saga, index: BranchIndex, branch: &Branch) -> BranchStatus {
    match branch.backward.state {
        OperationState::Succeeded | OperationState::Skipped => return BranchStatus::Compensated,
        OperationState::Refused => return BranchStatus::Compensating,
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
        OperationState::Succeeded | OperationState::Skipped => BranchStatus::Succeeded,
        OperationState::Refused if doubtful => BranchStatus::InDoubt,
        OperationState::Refused => BranchStatus::Refused,
        OperationState::Open if aborting && (to_compensate || doubtful) => BranchStatus::InDoubt,
        OperationState::Open if called => BranchStatus::Acting,
        OperationState::Open if doubtful => BranchStatus::InDoubt,
        OperationState::Open => BranchStatus::Prepared,
    }
}
