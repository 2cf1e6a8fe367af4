//! What anyone may see of a transaction: closed sets of words, and what it waits for.

mod course;
mod decided;

use std::sync::Arc;

use crate::definition::BranchDefinition;
use crate::event::{AbortCause, BranchIndex, End};
use crate::id::BranchId;
use crate::operation::{Operation, Outcome, Status};
use crate::saga;
use crate::tcc;
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::{ModeState, Transaction};

use course::Course;

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

/// How far a try has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialView {
    /// An attempt was ordered, or may be on its way.
    Awaited,
    /// It succeeded.
    Succeeded,
    /// It was refused.
    Refused {
        /// What was said.
        reason: Reason,
    },
    /// Nobody knows, and nothing is on its way.
    NotKnown {
        /// What was seen instead of an answer, if anything was.
        reason: Option<Reason>,
    },
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
    /// The initiator's abort: a try was refused, so that a submission would be.
    Abort {
        /// Whose.
        branch_id: BranchId,
        /// What was said.
        reason: Reason,
        /// When it is aborted otherwise.
        until: UnixMillis,
    },
    /// The initiator's request for a try that nobody knows the end of; a submission is refused before.
    Try {
        /// Whose.
        branch_id: BranchId,
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
        let course = self.course();
        self.table
            .iter()
            .map(|(index, branch)| BranchView {
                index,
                definition: Arc::clone(&branch.definition),
                status: match &self.state {
                    ModeState::Saga(saga) => saga::branch_status(saga, index, branch),
                    ModeState::Tcc(tcc) => tcc::branch_status(tcc, branch),
                },
                operations: course.operations(index, branch),
            })
            .collect()
    }

    fn course(&self) -> Course<'_> {
        match &self.state {
            ModeState::Saga(saga) => Course {
                known: &[Operation::Action, Operation::Compensation],
                current: saga.operation(),
                agenda: saga.agenda(),
                status: saga.status(),
            },
            ModeState::Tcc(tcc) => Course {
                known: &[Operation::Try, Operation::Confirm, Operation::Cancel],
                current: tcc.operation(),
                agenda: tcc.agenda(),
                status: tcc.status(),
            },
        }
    }

    /// Answers why it was or will be aborted.
    #[must_use]
    pub const fn abort_cause(&self) -> Option<&AbortCause> {
        match &self.state {
            ModeState::Saga(saga) => saga.cause.as_ref(),
            ModeState::Tcc(tcc) => tcc.cause.as_ref(),
        }
    }

    /// Answers the operator's reason, if one skipped or forced something: the end is not the participants' own (P3).
    #[must_use]
    pub const fn overridden(&self) -> Option<&Reason> {
        match &self.state {
            ModeState::Saga(saga) => saga.overridden.as_ref(),
            ModeState::Tcc(tcc) => tcc.overridden.as_ref(),
        }
    }

    const fn forced_to(&self) -> Option<End> {
        match &self.state {
            ModeState::Saga(saga) => saga.forced,
            ModeState::Tcc(tcc) => tcc.forced,
        }
    }

    const fn stuck_because(&self) -> Option<&Reason> {
        match &self.state {
            ModeState::Saga(saga) => saga.stuck_because(),
            ModeState::Tcc(tcc) => tcc.stuck_because(),
        }
    }

    /// Answers when it turns round by itself: the deadline of a submitted saga, or of an undecided TCC.
    #[must_use]
    pub fn deadline(&self) -> Option<UnixMillis> {
        match &self.state {
            ModeState::Saga(saga) => saga.turns_at(self),
            ModeState::Tcc(tcc) => tcc.expires(self),
        }
    }

    /// Answers whether a person should look: it is stuck, or an operation used many attempts.
    #[must_use]
    pub fn attention(&self) -> Option<Reason> {
        if let Some(reason) = self.stuck_because() {
            return Some(reason.clone());
        }
        let limit = self.options().attention_attempts.max(1);
        let course = self.course();
        let (operation, agenda) = (course.current?, course.agenda?);
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

    /// Answers what an open transaction waits for first; none once it has ended.
    #[must_use]
    pub fn waiting_for(&self) -> Option<WaitingFor> {
        if let Some(reason) = self.stuck_because() {
            return Some(WaitingFor::Operator {
                reason: reason.clone(),
            });
        }
        let course = self.course();
        match self.status() {
            Status::Committed | Status::Aborted => None,
            Status::Prepared => Some(self.waiting_undecided(&course)),
            Status::Submitted | Status::Aborting | Status::Stuck => {
                Some(course.waiting_for(&self.table))
            }
        }
    }

    fn waiting_undecided(&self, course: &Course<'_>) -> WaitingFor {
        // An order is recorded that the driver has yet to carry out.
        if self.abort_cause().is_some() || self.forced_to().is_some() {
            return WaitingFor::Coordinator;
        }
        course
            .answer(&self.table)
            .unwrap_or_else(|| match &self.state {
                ModeState::Saga(_) => WaitingFor::Submission {
                    until: self.created_at.plus(self.options().prepared_timeout),
                },
                ModeState::Tcc(_) => tcc::waiting_for_initiator(self),
            })
    }

    /// Answers how far a try has come, by the position of its branch; none: there is no such branch of a TCC.
    #[must_use]
    pub fn trial(&self, branch: BranchIndex) -> Option<TrialView> {
        let branch = self.table.get(branch)?;
        match &self.state {
            ModeState::Saga(_) => None,
            ModeState::Tcc(tcc) => Some(tcc::trial_view(tcc, branch)),
        }
    }

    /// Answers until when the call of a try that a driver has begun may last; none: none is begun.
    #[must_use]
    pub fn try_limit(&self, branch: BranchIndex) -> Option<UnixMillis> {
        self.table.get(branch)?.trial.held_until()
    }

    /// Answers whether the record tells of an attempt at a try whose answer it doesn't tell of: whoever takes over has
    /// to recover.
    #[must_use]
    pub fn has_unanswered_try(&self) -> bool {
        tcc::has_unanswered_try(self)
    }

    /// Answers whether the record tells of an attempt at a try that the driver, who has noted every answer, does not
    /// make: he has to recover.
    #[must_use]
    pub fn has_lost_try(&self) -> bool {
        tcc::has_lost_try(self)
    }
}
