//! The driver's decisions: what follows from the state at this time. One decision a step.

use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, OperationState, Stage};
use crate::event::{AbortCause, BranchIndex, End, Event, Fact};
use crate::operation::Operation;
use crate::phase::stuck_reason;
use crate::planted::{self, Planted};
use crate::step::{AppendMode, Call, Effect, Next, Step, append_mode, next_after};
use crate::tcc::{Phase, Side, Tcc};
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Tcc {
    pub(super) fn decide(&self, txn: &Transaction, now: UnixMillis) -> Step {
        match (&self.phase, self.forced) {
            (Phase::Ended(_), _) => self.nothing(txn, now),
            (Phase::Open(_) | Phase::Stuck { .. }, Some(End::Committed)) => {
                self.recorded(txn, Fact::Committed, now)
            }
            (Phase::Open(_) | Phase::Stuck { .. }, Some(End::Aborted)) => {
                self.recorded(txn, Fact::Aborted, now)
            }
            (Phase::Stuck { side, .. }, None) => match (side, &self.cause) {
                (Side::Trying, Some(cause)) => self.turn(txn, cause.clone(), now),
                (Side::Trying, None) | (Side::Confirming { .. } | Side::Cancelling { .. }, _) => {
                    self.nothing(txn, now)
                }
            },
            (Phase::Open(Side::Trying), None) => self.decide_trying(txn, now),
            (Phase::Open(Side::Confirming { agenda }), None) => {
                self.decide_decided(txn, agenda, Operation::Confirm, now)
            }
            (Phase::Open(Side::Cancelling { agenda }), None) => {
                self.decide_decided(txn, agenda, Operation::Cancel, now)
            }
        }
    }

    fn decide_trying(&self, txn: &Transaction, now: UnixMillis) -> Step {
        match &self.cause {
            Some(cause) => self.turn(txn, cause.clone(), now),
            None if expires_at(txn) <= now => self.turn(txn, expiry(txn), now),
            None => self.call_tries(txn, now),
        }
    }

    /// Makes the attempts that were asked for, up to the parallelism. How long each may last is recorded first: whoever
    /// takes over must not cancel before.
    fn call_tries(&self, txn: &Transaction, now: UnixMillis) -> Step {
        let calls: Vec<(Fact, Effect)> = txn
            .table
            .iter()
            .filter(|(_, branch)| branch.trial.is_due())
            .take(self.free(txn) as usize)
            .map(|(index, branch)| try_call(txn, index, branch, now))
            .collect();
        let (facts, effects): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let mut step = self.recorded_all(txn, facts, now);
        step.effects = effects;
        step
    }

    fn decide_decided(
        &self,
        txn: &Transaction,
        agenda: &Agenda,
        operation: Operation,
        now: UnixMillis,
    ) -> Step {
        let refused = || {
            agenda
                .unsettled()
                .find(|branch| agenda.place(*branch) == Place::Halted)
        };
        if planted::is(Planted::TccRefusedConfirmCancels)
            && operation == Operation::Confirm
            && let Some(branch) = refused()
        {
            return self.turn(txn, AbortCause::Refused { branch }, now);
        }
        if agenda.open() == 0 {
            let end = match operation {
                Operation::Confirm => Fact::Committed,
                Operation::Cancel
                | Operation::Try
                | Operation::Action
                | Operation::Compensation => Fact::Aborted,
            };
            return self.recorded(txn, end, now);
        }
        if agenda.next_at(now).is_none() && self.in_flight() == 0 {
            let reason = stuck_reason(&txn.table, agenda, operation);
            return self.recorded(txn, Fact::Stuck { reason }, now);
        }
        self.call(txn, agenda, operation, now)
    }

    /// Decides to cancel every branch that is registered, whatever is known of its try.
    fn turn(&self, txn: &Transaction, cause: AbortCause, now: UnixMillis) -> Step {
        let compensate = txn.table.iter().map(|(index, _)| index).collect();
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
        let calls = agenda.calls(&txn.table, operation, self.free(txn), now);
        self.nothing(txn, now).calling(calls, now)
    }

    fn free(&self, txn: &Transaction) -> u32 {
        txn.options()
            .branch_parallelism
            .saturating_sub(self.in_flight())
    }

    /// Answers whether a call in flight would still be ordered now.
    pub(crate) fn calls_still(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        operation: Operation,
        now: UnixMillis,
    ) -> bool {
        if self.forced.is_some() {
            return false;
        }
        match &self.phase {
            Phase::Open(Side::Trying) => {
                let open = txn.table.get(branch).is_some_and(|branch| {
                    branch.progress(Operation::Try).state == OperationState::Open
                });
                operation == Operation::Try && open && self.cause.is_none() && expires_at(txn) > now
            }
            Phase::Open(Side::Confirming { agenda } | Side::Cancelling { agenda }) => {
                self.operation() == Some(operation) && agenda.place(branch) == Place::Calling
            }
            Phase::Stuck { .. } | Phase::Ended(_) => false,
        }
    }

    /// Answers when the driver must look although nothing happened.
    pub(crate) fn alarm(&self, txn: &Transaction, now: UnixMillis) -> Option<UnixMillis> {
        let free = self.free(txn) > 0;
        match &self.phase {
            Phase::Ended(_) | Phase::Stuck { .. } => None,
            Phase::Open(Side::Trying) if free && has_due_try(txn) => Some(now),
            Phase::Open(Side::Trying) => Some(expires_at(txn)),
            Phase::Open(Side::Confirming { agenda } | Side::Cancelling { agenda }) if free => {
                agenda.next_at(now)
            }
            Phase::Open(Side::Confirming { .. } | Side::Cancelling { .. }) => None,
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
        self.recorded_all(txn, [fact], now)
    }

    pub(super) fn recorded_all(
        &self,
        txn: &Transaction,
        facts: impl IntoIterator<Item = Fact>,
        now: UnixMillis,
    ) -> Step {
        let mut step = self.nothing(txn, now);
        for (number, fact) in (txn.events + 1..).zip(facts) {
            step.append = step.append.max(append_mode(&fact));
            step.next = next_after(&fact, || self.next(txn, now), now);
            step.events.push(Event {
                number,
                at: now,
                fact,
            });
        }
        step
    }

    /// Says who looks next. While a call is in flight, here or elsewhere, the time has passed already: whoever finds the
    /// lease ended may.
    fn next(&self, txn: &Transaction, now: UnixMillis) -> Next {
        match &self.phase {
            Phase::Ended(_) => Next::Nobody,
            Phase::Stuck { .. } => Next::Operator,
            Phase::Open(_) if self.in_flight() > 0 => Next::WakeAt(now),
            Phase::Open(Side::Trying) if has_unanswered_try(txn) => Next::WakeAt(now),
            Phase::Open(_) => Next::WakeAt(self.alarm(txn, now).unwrap_or(now)),
        }
    }
}

/// Answers when an undecided TCC is cancelled.
pub(crate) fn expires_at(txn: &Transaction) -> UnixMillis {
    let options = txn.options();
    let timeout = options.timeout_to_fail.filter(|_| !ignores_deadline());
    txn.created_at
        .plus(timeout.unwrap_or(options.prepared_timeout))
}

fn ignores_deadline() -> bool {
    planted::is(Planted::DeadlineIgnored)
}

fn expiry(txn: &Transaction) -> AbortCause {
    match txn.options().timeout_to_fail {
        Some(_) => AbortCause::Deadline,
        None => AbortCause::NeverSubmitted,
    }
}

fn has_due_try(txn: &Transaction) -> bool {
    txn.table.iter().any(|(_, branch)| branch.trial.is_due())
}

/// Says whether the record tells of an attempt at a try whose answer it doesn't tell of.
pub(crate) fn has_unanswered_try(txn: &Transaction) -> bool {
    txn.table
        .iter()
        .any(|(_, branch)| matches!(branch.trial.stage, Stage::Calling { .. }))
}

/// Says whether the record tells of an attempt at a try that is not in flight here. Whoever drives, and has noted every
/// answer, never made it: the word that it was durable did not come.
pub(crate) fn has_lost_try(txn: &Transaction) -> bool {
    txn.table.iter().any(|(_, branch)| {
        let calling = matches!(branch.trial.stage, Stage::Calling { .. });
        calling && branch.trial.progress.flight.is_none()
    })
}

fn try_call(
    txn: &Transaction,
    index: BranchIndex,
    branch: &Branch,
    now: UnixMillis,
) -> (Fact, Effect) {
    let number = branch.progress(Operation::Try).next_number();
    let until = now.plus(branch.definition.request_timeout(txn.options()));
    let begun = Fact::TryBegun {
        branch: index,
        number,
        until,
    };
    let call = Call {
        branch: index,
        operation: Operation::Try,
        number,
    };
    (begun, Effect::Call(call))
}
