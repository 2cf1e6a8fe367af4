//! The transition table: how each fact changes each state. Whatever is not written here is illegal.

mod orders;
mod tries;

use std::sync::Arc;

use crate::agenda::Place;
use crate::branch::{By, OperationState, Stage, Trace};
use crate::event::{AbortCause, Answered, BranchIndex, CompletionEnd, End, Event, Fact};
use crate::operation::{Mode, Operation, Outcome};
use crate::planted::{self, Planted};
use crate::table::Table;
use crate::tcc::phase::all_branches;
use crate::tcc::{Phase, Side, Tcc, due};
use crate::time::UnixMillis;
use crate::transaction::{Applied, Illegal, legal};

impl Tcc {
    pub(crate) fn apply(&mut self, table: &mut Table, event: &Event) -> Applied {
        let at = event.at;
        match &event.fact {
            Fact::Created(_) => Err(Illegal),
            Fact::BranchAdded(branch) => {
                legal(
                    self.is_trying()
                        && branch.endpoints.mode() == Mode::Tcc
                        && table.find(&branch.branch_id).is_none(),
                )?;
                table.add(Arc::clone(branch));
                Ok(())
            }
            Fact::TryRequested { branch } => self.apply_try_requested(table, *branch),
            Fact::TryBegun {
                branch,
                number,
                until,
            } => self.apply_try_begun(table, *branch, *number, *until),
            Fact::Submitted => self.apply_submitted(table),
            Fact::AbortRequested { reason } => {
                legal(self.is_undecided())?;
                self.cause.get_or_insert(AbortCause::Requested {
                    reason: reason.clone(),
                });
                Ok(())
            }
            Fact::Answered(answered) => self.apply_answered(table, answered, at),
            Fact::Completed {
                branch,
                operation,
                end,
            } => self.apply_completed(table, *branch, *operation, end, at),
            Fact::Recovered { .. } => {
                legal(self.side().is_some())?;
                table
                    .iter_mut()
                    .for_each(|(_, branch)| branch.trial.doubt());
                Ok(())
            }
            Fact::TurnedRound { cause, compensate } => self.apply_turned(table, cause, compensate),
            Fact::Committed => self.apply_end(table, End::Committed),
            Fact::Aborted => self.apply_end(table, End::Aborted),
            Fact::Stuck { reason } => self.phase.stick(reason),
            Fact::Retried { branch, .. } => self.apply_retried(table, *branch, at),
            Fact::Hurried { branch } => self.apply_hurried(table, *branch, at),
            Fact::Skipped {
                branch,
                operation,
                reason,
            } => self.apply_skipped(table, *branch, *operation, reason),
            Fact::Forced { to, reason } => self.apply_forced(*to, reason),
            Fact::Elided {
                branch,
                operation,
                calls,
                attempts,
            } => {
                legal(operation.mode() == Mode::Tcc)?;
                let progress = table
                    .get_mut(*branch)
                    .ok_or(Illegal)?
                    .progress_mut(*operation);
                progress.calls = progress.calls.saturating_add(*calls);
                progress.attempts = progress.attempts.saturating_add(*attempts);
                progress.trace = Trace::Doubtful;
                Ok(())
            }
        }
    }

    fn is_trying(&self) -> bool {
        matches!(self.phase, Phase::Open(Side::Trying))
    }

    fn is_undecided(&self) -> bool {
        match self.side() {
            Some(Side::Trying) => true,
            Some(Side::Confirming { .. } | Side::Cancelling { .. }) | None => false,
        }
    }

    fn apply_submitted(&mut self, table: &mut Table) -> Applied {
        if planted::is(Planted::TccSecondSubmitSkipsConfirm)
            && let Phase::Open(Side::Confirming { agenda }) = &mut self.phase
        {
            let first = agenda.unsettled().next();
            if let Some(first) = first {
                agenda.settle(first);
            }
            return Ok(());
        }
        let undecided = self.cause.is_none() && self.forced.is_none();
        legal(self.is_trying() && undecided && table.len() > 0)?;
        self.phase = Phase::Open(Side::Confirming {
            agenda: all_branches(table),
        });
        Ok(())
    }

    fn apply_turned(
        &mut self,
        table: &Table,
        cause: &AbortCause,
        compensate: &[BranchIndex],
    ) -> Applied {
        let turns = planted::is(Planted::TccRefusedConfirmCancels) || self.is_undecided();
        legal(turns && self.side().is_some() && self.forced != Some(End::Committed))?;
        let all = table.iter().map(|(index, _)| index);
        legal(all.eq(compensate.iter().copied()))?;
        self.phase = Phase::Open(Side::Cancelling {
            agenda: all_branches(table),
        });
        self.cause = Some(cause.clone());
        Ok(())
    }

    fn apply_answered(
        &mut self,
        table: &mut Table,
        answered: &Answered,
        at: UnixMillis,
    ) -> Applied {
        legal(matches!(self.phase, Phase::Open(_)))?;
        match answered.operation {
            Operation::Try => self.apply_try_answered(table, answered, at),
            Operation::Confirm | Operation::Cancel => {
                self.apply_decided_answered(table, answered, at)
            }
            Operation::Action | Operation::Compensation => Err(Illegal),
        }
    }

    fn apply_decided_answered(
        &mut self,
        table: &mut Table,
        answered: &Answered,
        at: UnixMillis,
    ) -> Applied {
        legal(self.operation() == Some(answered.operation))?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let index = answered.branch;
        let branch = table.get_mut(index).ok_or(Illegal)?;
        let progress = branch.progress_mut(answered.operation);
        legal(progress.state.takes_answers())?;
        progress.note(answered, at);
        if progress.state != OperationState::Open {
            return Ok(());
        }
        legal(agenda.place(index) != Place::Settled)?;
        progress.state = settled(&answered.outcome);
        match (&answered.outcome, answered.next_attempt_at) {
            (Outcome::Success, None) => agenda.settle(index),
            (Outcome::Failure { .. }, None) => agenda.halt(index),
            (Outcome::Ongoing | Outcome::Unknown { .. }, Some(next)) => {
                agenda.wait(index, due(branch, next));
            }
            (Outcome::Success | Outcome::Failure { .. }, Some(_))
            | (Outcome::Ongoing | Outcome::Unknown { .. }, None) => return Err(Illegal),
        }
        Ok(())
    }

    fn apply_completed(
        &mut self,
        table: &mut Table,
        index: BranchIndex,
        operation: Operation,
        end: &CompletionEnd,
        at: UnixMillis,
    ) -> Applied {
        legal(matches!(self.phase, Phase::Open(_)))?;
        let present = self.operation().unwrap_or(Operation::Try);
        let branch = table.get_mut(index).ok_or(Illegal)?;
        let open = branch.progress(operation).state == OperationState::Open;
        legal(operation == present && open)?;
        branch.progress_mut(operation).complete(end, at);
        // What was asked for need not be asked any more; a call that was made may still be on its way.
        if branch.trial.stage == Stage::Requested {
            branch.trial.stage = Stage::Idle;
        }
        if let Some(agenda) = self.agenda_mut() {
            legal(agenda.place(index) != Place::Settled)?;
            match end {
                CompletionEnd::Succeeded => agenda.settle(index),
                CompletionEnd::Failed { .. } => agenda.halt(index),
            }
        }
        Ok(())
    }

    fn apply_end(&mut self, table: &mut Table, end: End) -> Applied {
        let done = match (&self.phase, end) {
            (Phase::Open(Side::Confirming { agenda }), End::Committed)
            | (Phase::Open(Side::Cancelling { agenda }), End::Aborted) => agenda.open() == 0,
            (
                Phase::Open(Side::Trying | Side::Confirming { .. } | Side::Cancelling { .. })
                | Phase::Stuck { .. }
                | Phase::Ended(_),
                End::Committed | End::Aborted,
            ) => false,
        };
        let forced = self.forced == Some(end) && self.may_end(end);
        legal(done || forced)?;
        self.leave_in_doubt(table)?;
        self.phase = Phase::Ended(end);
        Ok(())
    }

    /// What is unsettled at a forced end may have been called: no event tells of a call before its answer, and nobody
    /// asks on. An end that came by itself leaves nothing unsettled.
    fn leave_in_doubt(&self, table: &mut Table) -> Applied {
        let (Some(operation), Some(agenda)) = (self.operation(), self.agenda()) else {
            return Ok(());
        };
        for index in agenda.unsettled() {
            match agenda.place(index) {
                Place::Ready | Place::Waiting(_) | Place::Calling => {
                    let branch = table.get_mut(index).ok_or(Illegal)?;
                    branch.progress_mut(operation).trace = Trace::Doubtful;
                }
                Place::Blocked | Place::Halted | Place::Settled => {}
            }
        }
        Ok(())
    }

    /// Says whether this end is on the decided side, or nothing is decided (P5).
    const fn may_end(&self, end: End) -> bool {
        match (self.side(), end) {
            (Some(Side::Trying), End::Committed | End::Aborted)
            | (Some(Side::Confirming { .. }), End::Committed)
            | (Some(Side::Cancelling { .. }), End::Aborted) => true,
            (Some(Side::Confirming { .. }), End::Aborted)
            | (Some(Side::Cancelling { .. }), End::Committed)
            | (None, End::Committed | End::Aborted) => false,
        }
    }
}

/// Answers what an answer makes of an operation that is open.
const fn settled(outcome: &Outcome) -> OperationState {
    match outcome {
        Outcome::Success => OperationState::Succeeded(By::Participant),
        Outcome::Failure { .. } => OperationState::Refused(By::Participant),
        Outcome::Ongoing | Outcome::Unknown { .. } => OperationState::Open,
    }
}
