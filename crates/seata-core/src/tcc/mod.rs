//! TCC: try first, then confirm all or cancel all (docs/tcc.md; the pattern is Pat Helland's, "Life beyond Distributed
//! Transactions", 2007, with the names of Guy Pardon).
//!
//! While tries run nothing is decided. The decision, to confirm all or to cancel all, is one event, and nothing ever
//! takes it back (P5). `phase` holds the state, `register` and `input` record what comes from outside, `decide` makes
//! the driver's decisions, `apply` is the transition table, `view` says what anyone may know.

mod apply;
mod complete;
mod decide;
mod initiator;
mod input;
mod phase;
mod register;
mod settle;
mod view;

use crate::agenda::{Agenda, Place};
use crate::branch::Branch;
use crate::completion::Said;
use crate::event::BranchIndex;
use crate::operation::{AttemptId, Operation, Status};
use crate::planted::{self, Planted};
use crate::rejection::Rejection;
use crate::step::{Input, Step};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

pub(crate) use decide::{has_lost_try, has_unanswered_try};
pub(crate) use initiator::waiting_for_initiator;
pub(crate) use phase::{Phase, Side, Tcc};
pub(crate) use view::{branch_status, trial_view};

impl Tcc {
    pub(crate) fn step(
        &self,
        txn: &Transaction,
        input: Input,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        match input {
            Input::Wake => Ok(self.decide(txn, now)),
            Input::AddBranch(definition) => self.register(txn, definition, now),
            Input::Try(definition) => self.ask_for_try(txn, definition, now),
            Input::Submit => self.submit(txn, now),
            Input::Abort { reason } => self.abort(txn, reason, now),
            Input::Confirm { branch } => self.confirm(txn, branch, now),
            Input::Cancel { branch } => self.cancel(txn, branch, now),
            Input::Complete {
                branch,
                operation,
                end,
            } => self.complete(txn, branch, Said { operation, end }, now),
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

    /// Notes a call in flight. While a try is in flight, its branch is neither confirmed nor cancelled.
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
        let holds = operation == Operation::Try && awaits_tries();
        let current = holds || self.operation() == Some(operation);
        if let Some(agenda) = self.agenda_mut()
            && current
        {
            agenda.fly(branch);
        }
    }

    /// Notes that a call never left: its branch stands where it stood.
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
        if let Some(agenda) = self.agenda_mut()
            && agenda.place(branch) == Place::Calling
        {
            place(agenda, branch, known);
        }
    }

    pub(crate) fn status(&self) -> Status {
        match &self.phase {
            Phase::Open(Side::Trying) => Status::Prepared,
            Phase::Open(Side::Confirming { .. }) => Status::Submitted,
            Phase::Open(Side::Cancelling { .. }) => Status::Aborting,
            Phase::Stuck { .. } => Status::Stuck,
            Phase::Ended(crate::event::End::Committed) => Status::Committed,
            Phase::Ended(crate::event::End::Aborted) => Status::Aborted,
        }
    }

    pub(crate) const fn in_flight(&self) -> u32 {
        self.flights.all()
    }

    /// Answers which operation is called in the present direction.
    pub(crate) const fn operation(&self) -> Option<Operation> {
        match self.side() {
            Some(Side::Confirming { .. }) => Some(Operation::Confirm),
            Some(Side::Cancelling { .. }) => Some(Operation::Cancel),
            Some(Side::Trying) | None => None,
        }
    }
}

fn awaits_tries() -> bool {
    !planted::is(Planted::TccCancelDoesNotAwaitTry)
}

/// Answers until when a branch is neither confirmed nor cancelled, because a call of its try may be on its way.
fn held_until(branch: &Branch) -> Option<UnixMillis> {
    branch.trial.held_until().filter(|_| awaits_tries())
}

/// Puts a branch on the agenda: ready, unless a call of its try may be on its way.
fn place(agenda: &mut Agenda, branch: BranchIndex, known: &Branch) {
    match (known.trial.progress.flight, held_until(known)) {
        (Some(_), _) if awaits_tries() => agenda.call(branch),
        (Some(_) | None, Some(until)) => agenda.wait(branch, until),
        (Some(_) | None, None) => agenda.make_ready(branch),
    }
}

/// Answers from when on an attempt may be made that is wanted at this time.
fn due(branch: &Branch, at: UnixMillis) -> UnixMillis {
    held_until(branch).map_or(at, |until| until.max(at))
}
