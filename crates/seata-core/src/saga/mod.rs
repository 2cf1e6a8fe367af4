//! The saga: actions forward along the graph of `after`, compensations backward (docs/sagas.md; the pattern is
//! Garcia-Molina and Salem, "Sagas", 1987).
//!
//! `phase` holds the state, `input` records what comes from outside, `decide` makes the driver's decisions, `apply` is
//! the transition table.

mod apply;
mod decide;
mod input;
mod phase;
mod view;

use crate::agenda::Place;
use crate::completion::Said;
use crate::event::BranchIndex;
use crate::operation::{AttemptId, Mode, Operation, Status};
use crate::rejection::Rejection;
use crate::step::{Input, Step};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

pub(crate) use phase::{Phase, Saga, Side};
pub(crate) use view::branch_status;

const fn wrong_mode(asked: &'static str) -> Rejection {
    Rejection::WrongMode {
        asked,
        mode: Mode::Saga,
    }
}

impl Saga {
    pub(crate) fn step(
        &self,
        txn: &Transaction,
        input: Input,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        match input {
            Input::Wake => Ok(self.decide(txn, now)),
            Input::AddBranch(definition) => self.add_branch(txn, definition, now),
            Input::Try(_) => Err(wrong_mode("tried")),
            Input::Confirm { .. } => Err(wrong_mode("confirmed")),
            Input::Cancel { .. } => Err(wrong_mode("cancelled")),
            Input::Complete {
                branch,
                operation,
                end,
            } => self.complete(txn, branch, Said { operation, end }, now),
            Input::Submit => self.submit(txn, now),
            Input::Abort { reason } => self.abort(txn, reason, now),
            Input::Answered {
                branch,
                operation,
                attempt,
                outcome,
                took,
            } => Ok(self.answered(
                txn,
                crate::event::Answered {
                    branch,
                    operation,
                    attempt,
                    outcome,
                    took,
                    next_attempt_at: None,
                },
                now,
            )),
            Input::Recover { token } => Ok(self.recover(txn, token, now)),
            Input::Retry { branch, reason } => self.retry(txn, branch, reason, now),
            Input::Skip {
                branch,
                operation,
                reason,
            } => self.skip(txn, branch, operation, reason, now),
            Input::Force { to, reason } => self.force(txn, to, reason, now),
        }
    }

    /// Notes a call in flight.
    pub(crate) fn call_begun(
        &mut self,
        table: &mut Table,
        branch: BranchIndex,
        operation: Operation,
        attempt: AttemptId,
    ) {
        let Some(known) = table.get_mut(branch) else {
            return;
        };
        self.flights.begin(known, operation, attempt);
        let current = self.operation() == Some(operation);
        if let Some(agenda) = self.agenda_mut()
            && current
        {
            agenda.fly(branch);
        }
    }

    /// Notes that a call never left: its branch is as ready as it was.
    pub(crate) fn call_withdrawn(
        &mut self,
        table: &mut Table,
        branch: BranchIndex,
        operation: Operation,
        attempt: AttemptId,
    ) {
        let Some(known) = table.get_mut(branch) else {
            return;
        };
        if !self.flights.end(known, operation, attempt) {
            return;
        }
        let current = self.operation() == Some(operation);
        if let Some(agenda) = self.agenda_mut()
            && current
            && agenda.place(branch) == Place::Calling
        {
            agenda.make_ready(branch);
        }
    }

    pub(crate) fn status(&self) -> Status {
        match &self.phase {
            Phase::Open(Side::Prepared) => Status::Prepared,
            Phase::Open(Side::Running { .. }) => Status::Submitted,
            Phase::Open(Side::Aborting { .. }) => Status::Aborting,
            Phase::Stuck { .. } => Status::Stuck,
            Phase::Ended(crate::event::End::Committed) => Status::Committed,
            Phase::Ended(crate::event::End::Aborted) => Status::Aborted,
        }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.flights.all()
    }

    /// Answers which operation is called in the present direction.
    pub(crate) fn operation(&self) -> Option<Operation> {
        match self.side()? {
            Side::Prepared => None,
            Side::Running { .. } => Some(Operation::Action),
            Side::Aborting { .. } => Some(Operation::Compensation),
        }
    }
}
