//! What the facts about tries change.

use crate::agenda::Place;
use crate::branch::{OperationState, Stage};
use crate::event::{Answered, BranchIndex};
use crate::operation::Operation;
use crate::table::Table;
use crate::tcc::apply::{Applied, legal, settled};
use crate::tcc::{Tcc, due};
use crate::time::UnixMillis;
use crate::transaction::Illegal;

impl Tcc {
    pub(super) fn apply_try_requested(&self, table: &mut Table, branch: BranchIndex) -> Applied {
        let branch = table.get_mut(branch).ok_or(Illegal)?;
        legal(
            self.is_trying()
                && branch.definition.endpoint(Operation::Try).is_some()
                && branch.trial.progress.state == OperationState::Open
                && branch.trial.stage != Stage::Requested,
        )?;
        branch.trial.doubt();
        branch.trial.stage = Stage::Requested;
        Ok(())
    }

    pub(super) fn apply_try_begun(
        &self,
        table: &mut Table,
        branch: BranchIndex,
        number: u32,
        until: UnixMillis,
    ) -> Applied {
        let trial = &mut table.get_mut(branch).ok_or(Illegal)?.trial;
        legal(
            self.is_trying()
                && trial.stage == Stage::Requested
                && trial.progress.state == OperationState::Open
                && trial.progress.next_number() == number,
        )?;
        trial.stage = Stage::Calling { until };
        Ok(())
    }

    /// An answer ends the attempt, whatever it says. A decided branch that waited for it goes on.
    pub(super) fn apply_try_answered(
        &mut self,
        table: &mut Table,
        answered: &Answered,
        at: UnixMillis,
    ) -> Applied {
        let branch = table.get_mut(answered.branch).ok_or(Illegal)?;
        let progress = &mut branch.trial.progress;
        legal(
            branch.definition.endpoint(Operation::Try).is_some()
                && progress.state.takes_answers()
                && answered.next_attempt_at.is_none(),
        )?;
        progress.note(answered, at);
        if progress.state == OperationState::Open {
            progress.state = settled(&answered.outcome);
        }
        branch.trial.stage = match (branch.trial.stage, branch.trial.progress.state) {
            (Stage::Requested, OperationState::Open) => Stage::Requested,
            (Stage::Idle | Stage::Requested | Stage::Calling { .. }, _) => Stage::Idle,
        };
        let untouched = branch.forward.calls == 0 && branch.backward.calls == 0;
        let due = due(branch, at);
        if let Some(agenda) = self.agenda_mut()
            && untouched
        {
            match agenda.place(answered.branch) {
                Place::Ready | Place::Waiting(_) | Place::Calling => {
                    agenda.wait(answered.branch, due);
                }
                Place::Blocked | Place::Halted | Place::Settled => {}
            }
        }
        Ok(())
    }
}
