//! The driver's decisions: what follows from the state at this time. One decision a step.

use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, By, OperationState, Trace};
use crate::event::{AbortCause, BranchIndex, End, Event, Fact};
use crate::operation::Operation;
use crate::phase::stuck_reason;
use crate::planted::{self, Planted};
use crate::saga::{Phase, Saga, Side};
use crate::step::{AppendMode, Next, Step, append_mode, next_after};
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Saga {
    pub(super) fn decide(&self, txn: &Transaction, now: UnixMillis) -> Step {
        match &self.phase {
            Phase::Ended(_) => self.nothing(txn, now),
            Phase::Open(_) | Phase::Stuck { .. } if self.forced.is_some() => {
                self.end_forced(txn, now)
            }
            Phase::Stuck { .. } => match (&self.cause, self.side()) {
                (Some(cause), Some(Side::Prepared | Side::Running { .. })) => {
                    self.turn(txn, cause.clone(), now)
                }
                (Some(_), Some(Side::Aborting { .. }) | None) | (None, _) => self.nothing(txn, now),
            },
            Phase::Open(Side::Prepared) => self.decide_prepared(txn, now),
            Phase::Open(Side::Running { agenda, .. }) => self.decide_running(txn, agenda, now),
            Phase::Open(Side::Aborting { agenda }) => self.decide_aborting(txn, agenda, now),
        }
    }

    fn end_forced(&self, txn: &Transaction, now: UnixMillis) -> Step {
        match self.forced {
            Some(End::Committed) => self.recorded(txn, Fact::Committed, now),
            Some(End::Aborted) => self.recorded(txn, Fact::Aborted, now),
            None => self.nothing(txn, now),
        }
    }

    fn decide_prepared(&self, txn: &Transaction, now: UnixMillis) -> Step {
        let expires_at = txn.created_at.plus(txn.options().prepared_timeout);
        match &self.cause {
            Some(cause) => self.turn(txn, cause.clone(), now),
            None if expires_at <= now => self.turn(txn, AbortCause::NeverSubmitted, now),
            None => self.nothing(txn, now),
        }
    }

    fn decide_running(&self, txn: &Transaction, agenda: &Agenda, now: UnixMillis) -> Step {
        if let Some(cause) = &self.cause {
            return self.turn(txn, cause.clone(), now);
        }
        // A success that completes the saga before the deadline was looked at commits it.
        if agenda.open() == 0 {
            return self.recorded(txn, Fact::Committed, now);
        }
        if self.deadline(txn).is_some_and(|deadline| deadline <= now) {
            return self.turn(txn, AbortCause::Deadline, now);
        }
        self.call(txn, agenda, Operation::Action, now)
    }

    fn decide_aborting(&self, txn: &Transaction, agenda: &Agenda, now: UnixMillis) -> Step {
        if self.flights.forward > 0 && !planted::is(Planted::InFlightNotAwaited) {
            return self.nothing(txn, now);
        }
        if agenda.open() == 0 {
            return self.recorded(txn, Fact::Aborted, now);
        }
        if agenda.next_at(now).is_none() && self.in_flight() == 0 {
            let reason = stuck_reason(&txn.table, agenda, Operation::Compensation);
            return self.recorded(txn, Fact::Stuck { reason }, now);
        }
        self.call(txn, agenda, Operation::Compensation, now)
    }

    /// Decides to abort. The event lists what may have taken effect, as only this driver knows it now.
    fn turn(&self, txn: &Transaction, cause: AbortCause, now: UnixMillis) -> Step {
        let compensate = txn
            .table
            .iter()
            .filter(|(_, branch)| needs_compensation(branch))
            .map(|(index, _)| index)
            .collect();
        self.recorded(txn, Fact::TurnedRound { cause, compensate }, now)
    }

    /// Calls who may be called, up to the parallelism.
    fn call(
        &self,
        txn: &Transaction,
        agenda: &Agenda,
        operation: Operation,
        now: UnixMillis,
    ) -> Step {
        let free = txn
            .options()
            .branch_parallelism
            .saturating_sub(self.in_flight());
        let calls = agenda.calls(&txn.table, operation, free, now);
        self.nothing(txn, now).calling(calls, now)
    }

    fn deadline(&self, txn: &Transaction) -> Option<UnixMillis> {
        if planted::is(Planted::DeadlineIgnored) {
            return None;
        }
        match self.side()? {
            Side::Running { submitted_at, .. } => txn
                .options()
                .timeout_to_fail
                .map(|timeout| submitted_at.plus(timeout)),
            Side::Prepared | Side::Aborting { .. } => None,
        }
    }

    /// Answers whether a call in flight would still be ordered now.
    pub(crate) fn calls_still(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        operation: Operation,
        now: UnixMillis,
    ) -> bool {
        let on = |agenda: &Agenda| {
            self.forced.is_none()
                && agenda.place(branch) == Place::Calling
                && self.operation() == Some(operation)
        };
        match &self.phase {
            Phase::Open(Side::Running { agenda, .. }) => {
                let due = self.deadline(txn).is_some_and(|deadline| deadline <= now);
                on(agenda) && self.cause.is_none() && !due
            }
            Phase::Open(Side::Aborting { agenda }) => on(agenda),
            Phase::Open(Side::Prepared) | Phase::Stuck { .. } | Phase::Ended(_) => false,
        }
    }

    /// Answers when the driver must look although nothing happened.
    pub(crate) fn alarm(&self, txn: &Transaction, now: UnixMillis) -> Option<UnixMillis> {
        let free = self.in_flight() < txn.options().branch_parallelism;
        let attempt = |agenda: &Agenda| if free { agenda.next_at(now) } else { None };
        match &self.phase {
            Phase::Ended(_) | Phase::Stuck { .. } => None,
            Phase::Open(Side::Prepared) => {
                Some(txn.created_at.plus(txn.options().prepared_timeout))
            }
            Phase::Open(Side::Running { agenda, .. }) => {
                attempt(agenda).into_iter().chain(self.deadline(txn)).min()
            }
            Phase::Open(Side::Aborting { .. }) if self.flights.forward > 0 => None,
            Phase::Open(Side::Aborting { agenda }) => attempt(agenda),
        }
    }

    /// Records nothing: says only who looks next.
    pub(super) fn nothing(&self, txn: &Transaction, now: UnixMillis) -> Step {
        Step {
            events: Vec::new(),
            effects: Vec::new(),
            next: self.next(txn, now),
            append: AppendMode::Behind,
        }
    }

    /// Records one fact.
    pub(super) fn recorded(&self, txn: &Transaction, fact: Fact, now: UnixMillis) -> Step {
        let append = append_mode(&fact);
        let next = next_after(&fact, || self.next(txn, now), now);
        let event = Event {
            number: txn.events + 1,
            at: now,
            fact,
        };
        Step {
            events: vec![event],
            effects: Vec::new(),
            next,
            append,
        }
    }

    /// Says who looks next. While a call is in flight the time has passed already: whoever finds the lease ended may.
    fn next(&self, txn: &Transaction, now: UnixMillis) -> Next {
        match &self.phase {
            Phase::Ended(_) => Next::Nobody,
            Phase::Stuck { .. } => Next::Operator,
            Phase::Open(_) if self.in_flight() > 0 => Next::WakeAt(now),
            Phase::Open(_) => Next::WakeAt(self.alarm(txn, now).unwrap_or(now)),
        }
    }
}

/// Says whether a branch may have taken effect and can be compensated. Refused on the only attempt ever made: it did
/// nothing. Never attempted, which only the driver since submission can know: nothing either.
fn needs_compensation(branch: &Branch) -> bool {
    let action = &branch.forward;
    let doubtful = action.trace == Trace::Doubtful;
    let may_have_happened = match action.state {
        OperationState::Succeeded(_) => true,
        OperationState::Refused(By::Outside) => doubtful || action.flight.is_some(),
        OperationState::Refused(By::Participant) => {
            doubtful && !planted::is(Planted::RefusalAfterUnknownNotCompensated)
        }
        OperationState::Open if planted::is(Planted::InDoubtNotCompensated) => false,
        OperationState::Open => doubtful || action.flight.is_some(),
        OperationState::Skipped => doubtful || action.flight.is_some() || action.calls > 0,
    };
    may_have_happened
        && branch
            .definition
            .endpoint(Operation::Compensation)
            .is_some()
}
