//! The transition table: how each fact changes each state. Whatever is not written here is illegal.

use std::sync::Arc;

use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, By, OperationState, Trace};
use crate::dag::Dag;
use crate::definition::Definition;
use crate::event::{AbortCause, Answered, BranchIndex, CompletionEnd, End, Event, Fact};
use crate::operation::{Mode, Operation, Outcome};
use crate::saga::{Phase, Saga, Side};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::transaction::{Applied, Illegal, legal};

impl Saga {
    pub(crate) fn apply(
        &mut self,
        table: &mut Table,
        definition: &Definition,
        event: &Event,
    ) -> Applied {
        let at = event.at;
        match &event.fact {
            Fact::Created(_) => Err(Illegal),
            Fact::BranchAdded(branch) => {
                legal(
                    matches!(self.phase, Phase::Open(Side::Prepared))
                        && branch.endpoints.mode() == Mode::Saga
                        && table.find(&branch.branch_id).is_none()
                        && branch.after.iter().all(|name| table.find(name).is_some()),
                )?;
                table.add(Arc::clone(branch));
                Ok(())
            }
            Fact::TryRequested { .. } | Fact::TryBegun { .. } | Fact::Hurried { .. } => {
                Err(Illegal)
            }
            Fact::Completed {
                branch,
                operation,
                end,
            } => self.apply_completed(table, *branch, *operation, end, at),
            Fact::Submitted => self.apply_submitted(table, definition, at),
            Fact::AbortRequested { reason } => {
                legal(self.is_undecided())?;
                self.cause.get_or_insert(AbortCause::Requested {
                    reason: reason.clone(),
                });
                Ok(())
            }
            Fact::Answered(answered) => self.apply_answered(table, answered, at),
            Fact::Recovered { .. } => self.apply_recovered(table),
            Fact::TurnedRound { cause, compensate } => {
                self.apply_turned(table, definition, cause, compensate)
            }
            Fact::Committed => self.apply_committed(table),
            Fact::Aborted => self.apply_aborted(table),
            Fact::Stuck { reason } => self.phase.stick(reason),
            Fact::Retried { branch, .. } => self.apply_retried(table, *branch, at),
            Fact::Skipped {
                branch,
                operation,
                reason,
            } => {
                self.overridden = Some(reason.clone());
                self.apply_skipped(table, *branch, *operation)
            }
            Fact::Forced { to, reason } => {
                legal(self.is_undecided() || (self.side().is_some() && *to == End::Aborted))?;
                self.forced = Some(*to);
                self.overridden = Some(reason.clone());
                Ok(())
            }
            Fact::Elided {
                branch,
                operation,
                calls,
                attempts,
            } => {
                legal(operation.mode() == Mode::Saga)?;
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

    fn is_undecided(&self) -> bool {
        match self.side() {
            Some(Side::Prepared | Side::Running { .. }) => true,
            Some(Side::Aborting { .. }) | None => false,
        }
    }

    fn apply_submitted(
        &mut self,
        table: &Table,
        definition: &Definition,
        at: UnixMillis,
    ) -> Applied {
        if crate::planted::is(crate::planted::Planted::DuplicateSubmitRedecides) {
            return self.run(table, definition, at);
        }
        legal(matches!(self.phase, Phase::Open(Side::Prepared)) && table.len() > 0)?;
        self.run(table, definition, at)
    }

    fn run(&mut self, table: &Table, definition: &Definition, at: UnixMillis) -> Applied {
        let dag =
            Dag::build(&table.definitions(), definition.options.order).map_err(|_| Illegal)?;
        self.phase = Phase::Open(Side::Running {
            submitted_at: at,
            agenda: Agenda::forward(dag, table.len()),
        });
        Ok(())
    }

    fn apply_answered(
        &mut self,
        table: &mut Table,
        answered: &Answered,
        at: UnixMillis,
    ) -> Applied {
        legal(answered.operation.mode() == Mode::Saga)?;
        let branch = table.get_mut(answered.branch).ok_or(Illegal)?;
        let progress = branch.progress_mut(answered.operation);
        legal(matches!(
            self.phase,
            Phase::Open(Side::Running { .. } | Side::Aborting { .. })
        ))?;
        let before = progress.state;
        progress.note(answered, at);
        legal(before.takes_answers())?;
        if before != OperationState::Open {
            return Ok(());
        }
        match &answered.outcome {
            Outcome::Success => progress.state = OperationState::Succeeded(By::Participant),
            Outcome::Failure { .. } => progress.state = OperationState::Refused(By::Participant),
            Outcome::Ongoing | Outcome::Unknown { .. } => {}
        }
        let trace = progress.trace;
        self.replan(answered, trace)
    }

    /// Settles an operation from outside. A refusal says nothing of earlier calls: whether one was ever made is for the
    /// decision to turn round to ask.
    fn apply_completed(
        &mut self,
        table: &mut Table,
        branch: BranchIndex,
        operation: Operation,
        end: &CompletionEnd,
        at: UnixMillis,
    ) -> Applied {
        legal(matches!(self.phase, Phase::Open(_)) && self.operation() == Some(operation))?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let progress = table
            .get_mut(branch)
            .ok_or(Illegal)?
            .progress_mut(operation);
        legal(progress.state == OperationState::Open && agenda.place(branch) != Place::Settled)?;
        progress.complete(end, at);
        match (end, operation) {
            (CompletionEnd::Succeeded, _) => agenda.settle(branch),
            (CompletionEnd::Failed { .. }, Operation::Action) => {
                agenda.halt(branch);
                self.cause.get_or_insert(AbortCause::Refused { branch });
            }
            (
                CompletionEnd::Failed { .. },
                Operation::Compensation | Operation::Try | Operation::Confirm | Operation::Cancel,
            ) => agenda.halt(branch),
        }
        Ok(())
    }

    /// Puts a branch where its answer sends it.
    fn replan(&mut self, answered: &Answered, trace: Trace) -> Applied {
        let branch = answered.branch;
        let halted = match answered.outcome {
            Outcome::Failure { .. } => AbortCause::Refused { branch },
            Outcome::Success | Outcome::Ongoing | Outcome::Unknown { .. } => {
                AbortCause::AttemptLimit { branch }
            }
        };
        match (&mut self.phase, answered.operation) {
            (Phase::Open(Side::Running { agenda, .. }), Operation::Action) => {
                if agenda.place(branch) == Place::Blocked {
                    // Nothing is planned any more: the saga turns.
                    return legal(self.cause.is_some());
                }
                match (&answered.outcome, answered.next_attempt_at) {
                    (Outcome::Success, _) => agenda.settle(branch),
                    (Outcome::Ongoing | Outcome::Unknown { .. }, Some(next)) => {
                        agenda.wait(branch, next)
                    }
                    (Outcome::Failure { .. }, _)
                    | (Outcome::Ongoing | Outcome::Unknown { .. }, None) => {
                        agenda.halt(branch);
                        self.cause.get_or_insert(halted);
                    }
                }
                Ok(())
            }
            // An action that was in flight when the saga turned. Refused on its only attempt: nothing to undo.
            (Phase::Open(Side::Aborting { agenda }), Operation::Action) => {
                match (&answered.outcome, trace) {
                    (Outcome::Failure { .. }, Trace::Clean) => agenda.settle(branch),
                    (Outcome::Failure { .. }, Trace::Doubtful)
                    | (Outcome::Success | Outcome::Ongoing | Outcome::Unknown { .. }, _) => {}
                }
                Ok(())
            }
            (Phase::Open(Side::Aborting { agenda }), Operation::Compensation) => {
                // It may be blocked: what it waits for had been undone, and was then told to have failed.
                legal(agenda.place(branch) != Place::Settled)?;
                match (&answered.outcome, answered.next_attempt_at) {
                    (Outcome::Success, _) => agenda.settle(branch),
                    (Outcome::Failure { .. }, _) => agenda.halt(branch),
                    (Outcome::Ongoing | Outcome::Unknown { .. }, Some(next)) => {
                        agenda.wait_in_turn(branch, next)
                    }
                    (Outcome::Ongoing | Outcome::Unknown { .. }, None) => return Err(Illegal),
                }
                Ok(())
            }
            (
                Phase::Open(Side::Prepared | Side::Running { .. })
                | Phase::Stuck { .. }
                | Phase::Ended(_),
                _,
            )
            | (
                Phase::Open(Side::Aborting { .. }),
                Operation::Try | Operation::Confirm | Operation::Cancel,
            ) => Err(Illegal),
        }
    }

    /// Whatever has no recorded answer is in doubt, whatever `after` says: another driver may have called it. Once the
    /// saga has turned, the event that turned it tells of each branch that can be undone whether it was called.
    fn apply_recovered(&self, table: &mut Table) -> Applied {
        let told = |branch: BranchIndex, known: &Branch| match self.side() {
            Some(Side::Aborting { agenda }) => {
                known.definition.endpoint(Operation::Compensation).is_some()
                    && agenda.place(branch) == Place::Settled
            }
            Some(Side::Prepared | Side::Running { .. }) | None => false,
        };
        legal(self.agenda().is_some())?;
        for (index, branch) in table.iter_mut() {
            match branch.forward.state {
                OperationState::Open
                | OperationState::Skipped
                | OperationState::Refused(By::Outside)
                    if !told(index, branch) =>
                {
                    branch.forward.trace = Trace::Doubtful
                }
                OperationState::Open
                | OperationState::Skipped
                | OperationState::Succeeded(_)
                | OperationState::Refused(_) => {}
            }
        }
        Ok(())
    }

    fn apply_turned(
        &mut self,
        table: &Table,
        definition: &Definition,
        cause: &AbortCause,
        compensate: &[BranchIndex],
    ) -> Applied {
        legal(self.is_undecided() && self.forced != Some(End::Committed))?;
        legal(compensate.iter().all(|branch| table.get(*branch).is_some()))?;
        let phase = std::mem::replace(&mut self.phase, Phase::Ended(End::Aborted));
        let dag = match phase {
            Phase::Open(Side::Running { agenda, .. })
            | Phase::Stuck {
                side: Side::Running { agenda, .. },
                ..
            } => agenda.into_dag(),
            Phase::Open(Side::Prepared | Side::Aborting { .. })
            | Phase::Stuck { .. }
            | Phase::Ended(_) => {
                Dag::build(&table.definitions(), definition.options.order).map_err(|_| Illegal)?
            }
        };
        self.phase = Phase::Open(Side::Aborting {
            agenda: Agenda::backward(dag, table.len(), compensate),
        });
        self.cause = Some(cause.clone());
        Ok(())
    }

    fn apply_committed(&mut self, table: &mut Table) -> Applied {
        let forced = self.forced == Some(End::Committed);
        let done = match &self.phase {
            Phase::Open(Side::Running { agenda, .. }) => agenda.open() == 0,
            Phase::Open(Side::Prepared | Side::Aborting { .. })
            | Phase::Stuck { .. }
            | Phase::Ended(_) => false,
        };
        legal(done || (forced && self.is_undecided()))?;
        self.leave_in_doubt(table)?;
        self.phase = Phase::Ended(End::Committed);
        Ok(())
    }

    fn apply_aborted(&mut self, table: &mut Table) -> Applied {
        let forced = self.forced == Some(End::Aborted);
        let done = match &self.phase {
            Phase::Open(Side::Aborting { agenda }) => agenda.open() == 0,
            Phase::Open(Side::Prepared | Side::Running { .. })
            | Phase::Stuck { .. }
            | Phase::Ended(_) => false,
        };
        legal(done || (forced && self.side().is_some()))?;
        self.leave_in_doubt(table)?;
        self.phase = Phase::Ended(End::Aborted);
        Ok(())
    }

    /// What is unsettled at a forced end may have been called: no event tells of a call before its answer, and nobody
    /// asks on. An end that came by itself leaves nothing unsettled and nothing in flight.
    fn leave_in_doubt(&self, table: &mut Table) -> Applied {
        let (Some(_), Some(operation), Some(agenda)) =
            (&self.forced, self.operation(), self.agenda())
        else {
            return Ok(());
        };
        for branch in agenda.unsettled() {
            match agenda.place(branch) {
                Place::Ready | Place::Waiting(_) | Place::Calling => {
                    table
                        .get_mut(branch)
                        .ok_or(Illegal)?
                        .progress_mut(operation)
                        .trace = Trace::Doubtful;
                }
                Place::Blocked | Place::Halted | Place::Settled => {}
            }
        }
        match self.side() {
            // An action that was in flight when the saga turned may be so still.
            Some(Side::Aborting { .. }) => self.apply_recovered(table),
            Some(Side::Prepared | Side::Running { .. }) | None => Ok(()),
        }
    }

    fn apply_retried(
        &mut self,
        table: &mut Table,
        only: Option<BranchIndex>,
        at: UnixMillis,
    ) -> Applied {
        let operation = self.operation().ok_or(Illegal)?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let targets: Vec<BranchIndex> = agenda.retried(only).collect();
        for branch in targets {
            match agenda.place(branch) {
                Place::Waiting(_) => agenda.wait_in_turn(branch, at),
                Place::Halted => {
                    let progress = table
                        .get_mut(branch)
                        .ok_or(Illegal)?
                        .progress_mut(operation);
                    progress.state = OperationState::Open;
                    agenda.wait_in_turn(branch, at);
                    // Refused from outside while a call was in flight: that one is awaited first.
                    if progress.flight.is_some() {
                        agenda.call(branch);
                    }
                }
                Place::Blocked | Place::Ready | Place::Calling | Place::Settled => {}
            }
        }
        self.phase.reopen();
        Ok(())
    }

    fn apply_skipped(
        &mut self,
        table: &mut Table,
        branch: BranchIndex,
        operation: Operation,
    ) -> Applied {
        legal(self.operation() == Some(operation))?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let progress = table
            .get_mut(branch)
            .ok_or(Illegal)?
            .progress_mut(operation);
        legal(agenda.place(branch) != Place::Settled)?;
        progress.state = OperationState::Skipped;
        agenda.settle(branch);
        self.phase.reopen();
        Ok(())
    }
}
