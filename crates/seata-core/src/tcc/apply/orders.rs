//! What the orders of an operator, and an initiator's hurry, change.

use crate::agenda::Place;
use crate::branch::OperationState;
use crate::event::{BranchIndex, End};
use crate::operation::Operation;
use crate::table::Table;
use crate::tcc::{Phase, Tcc, awaits_tries, due};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::{Applied, Illegal, legal};

impl Tcc {
    pub(super) fn apply_forced(&mut self, to: End, reason: &Reason) -> Applied {
        legal(self.may_end(to))?;
        self.forced = Some(to);
        self.overridden = Some(reason.clone());
        Ok(())
    }

    pub(super) fn apply_retried(
        &mut self,
        table: &mut Table,
        only: Option<BranchIndex>,
        at: UnixMillis,
    ) -> Applied {
        let operation = self.operation().ok_or(Illegal)?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let targets: Vec<BranchIndex> = agenda.retried(only).collect();
        for index in targets {
            let branch = table.get_mut(index).ok_or(Illegal)?;
            match agenda.place(index) {
                Place::Waiting(_) => agenda.wait(index, due(branch, at)),
                Place::Halted => {
                    let awaits_try = awaits_tries() && branch.trial.progress.flight.is_some();
                    agenda.wait(index, due(branch, at));
                    let progress = branch.progress_mut(operation);
                    progress.state = OperationState::Open;
                    // Refused from outside while a call was in flight, its own or that of the try: it is awaited first.
                    if awaits_try || progress.flight.is_some() {
                        agenda.call(index);
                    }
                }
                Place::Blocked | Place::Ready | Place::Calling | Place::Settled => {}
            }
        }
        self.phase.reopen();
        Ok(())
    }

    pub(super) fn apply_hurried(
        &mut self,
        table: &Table,
        index: BranchIndex,
        at: UnixMillis,
    ) -> Applied {
        legal(matches!(self.phase, Phase::Open(_)))?;
        let agenda = self.agenda_mut().ok_or(Illegal)?;
        let branch = table.get(index).ok_or(Illegal)?;
        match agenda.place(index) {
            Place::Waiting(_) => agenda.wait(index, due(branch, at)),
            // Another order, or a call that is on its way, came first.
            Place::Blocked | Place::Ready | Place::Calling | Place::Halted | Place::Settled => {}
        }
        Ok(())
    }

    pub(super) fn apply_skipped(
        &mut self,
        table: &mut Table,
        branch: BranchIndex,
        operation: Operation,
        reason: &Reason,
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
        self.overridden = Some(reason.clone());
        self.phase.reopen();
        Ok(())
    }
}
