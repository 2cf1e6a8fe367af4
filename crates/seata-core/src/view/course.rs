//! What all modes tell alike: the operations of a branch, and what a transaction waits for.

use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, OperationState, Progress, Stage, Trace};
use crate::event::BranchIndex;
use crate::operation::{Operation, Status};
use crate::table::Table;
use crate::time::UnixMillis;
use crate::view::{OperationStatus, OperationView, WaitingFor};

/// Where a transaction of any mode stands.
pub(super) struct Course<'a> {
    /// The operations of its mode.
    pub(super) known: &'static [Operation],
    /// The one of the present direction.
    pub(super) current: Option<Operation>,
    pub(super) agenda: Option<&'a Agenda>,
    pub(super) status: Status,
}

impl Course<'_> {
    /// Answers the operations of a branch that were called, are due or are waiting.
    pub(super) fn operations(&self, index: BranchIndex, branch: &Branch) -> Vec<OperationView> {
        self.known
            .iter()
            .filter_map(|operation| self.operation(index, branch, *operation))
            .collect()
    }

    /// Answers the place on the agenda, if this operation is the one of the present direction.
    fn place(&self, index: BranchIndex, operation: Operation) -> Option<Place> {
        match self.current {
            Some(current) if current == operation => self.agenda.map(|agenda| agenda.place(index)),
            Some(_) | None => None,
        }
    }

    fn operation(
        &self,
        index: BranchIndex,
        branch: &Branch,
        operation: Operation,
    ) -> Option<OperationView> {
        let progress = branch.progress(operation);
        let status = self.operation_status(progress);
        let place = self.place(index, operation);
        let due = match place {
            Some(Place::Ready | Place::Waiting(_) | Place::Calling | Place::Halted) => true,
            Some(Place::Blocked | Place::Settled) | None => false,
        };
        let touched = progress.calls > 0
            || status != OperationStatus::Open
            || (operation == Operation::Try && self.shows_try(branch))
            || (self.status.is_final() && progress.trace == Trace::Doubtful);
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

    /// Says whether a try that nobody answered is shown: no agenda tells of it.
    fn shows_try(&self, branch: &Branch) -> bool {
        match branch.trial.stage {
            Stage::Calling { .. } => true,
            Stage::Requested => self.status == Status::Prepared,
            Stage::Idle => branch.trial.progress.trace == Trace::Doubtful,
        }
    }

    fn operation_status(&self, progress: &Progress) -> OperationStatus {
        match progress.state {
            OperationState::Open if progress.flight.is_some() && !self.status.is_final() => {
                OperationStatus::Calling
            }
            OperationState::Open => OperationStatus::Open,
            OperationState::Succeeded(_) => OperationStatus::Succeeded,
            OperationState::Refused(_) => OperationStatus::Refused,
            OperationState::Skipped => OperationStatus::Skipped,
        }
    }

    /// Answers what an open transaction waits for first, once something was decided.
    pub(super) fn waiting_for(&self, table: &Table) -> WaitingFor {
        self.answer(table)
            .or_else(|| self.attempt(table))
            .unwrap_or(WaitingFor::Coordinator)
    }

    /// Answers the first call in flight.
    pub(super) fn answer(&self, table: &Table) -> Option<WaitingFor> {
        table.iter().find_map(|(_, branch)| {
            let operation = self
                .known
                .iter()
                .copied()
                .find(|operation| branch.progress(*operation).flight.is_some())?;
            Some(WaitingFor::Answer {
                branch_id: branch.definition.branch_id.clone(),
                operation,
                attempt: branch.progress(operation).next_number(),
            })
        })
    }

    /// Answers the attempt that is due first.
    fn attempt(&self, table: &Table) -> Option<WaitingFor> {
        let (operation, agenda) = self.current.zip(self.agenda)?;
        let (at, branch) = agenda
            .unsettled()
            .filter_map(|index| match agenda.place(index) {
                Place::Waiting(at) => table.get(index).map(|branch| (at, branch)),
                Place::Blocked | Place::Ready | Place::Calling | Place::Halted | Place::Settled => {
                    None
                }
            })
            .min_by_key(|(at, _)| *at)?;
        Some(put_off(branch, operation, at))
    }
}

fn put_off(branch: &Branch, operation: Operation, at: UnixMillis) -> WaitingFor {
    let progress = branch.progress(operation);
    let branch_id = branch.definition.branch_id.clone();
    if progress.calls == 0 && branch.trial.held_until() == Some(at) {
        return WaitingFor::TryLimit {
            branch_id,
            until: at,
        };
    }
    WaitingFor::Attempt {
        branch_id,
        operation,
        attempt: progress.next_number(),
        at,
        last: progress.last.as_ref().map(|last| last.outcome.clone()),
    }
}
