//! Records what comes from initiators and from calls, or says why not. Decides nothing that follows from it.

use crate::again::next_attempt_at;
use crate::agenda::Place;
use crate::branch::{Branch, OperationState, Stage};
use crate::event::{Answered, BranchIndex, End, Fact};
use crate::operation::{FencingToken, Operation};
use crate::planted::{self, Planted};
use crate::rejection::Rejection;
use crate::step::Step;
use crate::tcc::{Phase, Side, Tcc, held_until};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Tcc {
    /// Decides to confirm all. Once decided, it is never decided again, and skips nothing.
    pub(super) fn submit(&self, txn: &Transaction, now: UnixMillis) -> Result<Step, Rejection> {
        match &self.phase {
            Phase::Open(Side::Trying) => {
                self.require_undecided("submitted")?;
                require_tried(txn)?;
                Ok(self.recorded(txn, Fact::Submitted, now))
            }
            Phase::Open(Side::Confirming { .. })
                if planted::is(Planted::TccSecondSubmitSkipsConfirm) =>
            {
                Ok(self.recorded(txn, Fact::Submitted, now))
            }
            Phase::Open(Side::Confirming { .. })
            | Phase::Stuck {
                side: Side::Confirming { .. },
                ..
            }
            | Phase::Ended(End::Committed) => Ok(self.nothing(txn, now)),
            Phase::Open(Side::Cancelling { .. })
            | Phase::Stuck {
                side: Side::Trying | Side::Cancelling { .. },
                ..
            }
            | Phase::Ended(End::Aborted) => Err(self.refused("submitted")),
        }
    }

    pub(super) fn abort(
        &self,
        txn: &Transaction,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        match &self.phase {
            Phase::Open(Side::Trying)
            | Phase::Stuck {
                side: Side::Trying, ..
            } => match (self.forced, &self.cause) {
                (Some(End::Committed), _) => Err(self.refused("aborted")),
                (Some(End::Aborted) | None, None) => {
                    Ok(self.recorded(txn, Fact::AbortRequested { reason }, now))
                }
                (Some(End::Aborted) | None, Some(_)) => Ok(self.nothing(txn, now)),
            },
            Phase::Open(Side::Cancelling { .. })
            | Phase::Stuck {
                side: Side::Cancelling { .. },
                ..
            }
            | Phase::Ended(End::Aborted) => Ok(self.nothing(txn, now)),
            Phase::Open(Side::Confirming { .. })
            | Phase::Stuck {
                side: Side::Confirming { .. },
                ..
            }
            | Phase::Ended(End::Committed) => Err(self.refused("aborted")),
        }
    }

    /// Takes the wish to confirm one branch for the decision, while undecided; later it only hurries that branch.
    pub(super) fn confirm(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let known = txn.known(branch)?;
        match self.side() {
            Some(Side::Confirming { .. }) => Ok(self.hurry(txn, (branch, known), now)),
            Some(Side::Trying | Side::Cancelling { .. }) | None => self.submit(txn, now),
        }
    }

    /// Takes the wish to cancel one branch for the decision, while undecided; later it only hurries that branch.
    pub(super) fn cancel(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let known = txn.known(branch)?;
        match self.side() {
            Some(Side::Cancelling { .. }) => Ok(self.hurry(txn, (branch, known), now)),
            Some(Side::Trying | Side::Confirming { .. }) | None => {
                let name = &known.definition.branch_id;
                let reason = Reason::new(&format!("the initiator cancelled branch {name}"));
                self.abort(txn, reason, now)
            }
        }
    }

    /// Wants the waiting attempt made at once, but for a branch that waits for its try.
    fn hurry(
        &self,
        txn: &Transaction,
        (branch, known): (BranchIndex, &Branch),
        now: UnixMillis,
    ) -> Step {
        let held = held_until(known).is_some_and(|until| until > now);
        let waits = matches!(self.phase, Phase::Open(_))
            && self
                .agenda()
                .is_some_and(|agenda| match agenda.place(branch) {
                    Place::Waiting(at) => at > now,
                    Place::Blocked
                    | Place::Ready
                    | Place::Calling
                    | Place::Halted
                    | Place::Settled => false,
                });
        if waits && !held {
            self.recorded(txn, Fact::Hurried { branch }, now)
        } else {
            self.nothing(txn, now)
        }
    }

    /// Records an answer with the time of the next attempt. One that is recorded already, or that settles what is
    /// settled, changes nothing.
    pub(super) fn answered(
        &self,
        txn: &Transaction,
        mut answered: Answered,
        now: UnixMillis,
    ) -> Step {
        let Some(branch) = txn.table.get(answered.branch) else {
            return self.nothing(txn, now);
        };
        if !self.takes(branch, &answered) {
            return self.nothing(txn, now);
        }
        if branch.progress(answered.operation).state == OperationState::Open {
            answered.next_attempt_at = next_attempt_at(txn, branch, &answered, now);
        }
        self.recorded(txn, Fact::Answered(answered), now)
    }

    /// Says whether an answer is news that the transition table has a row for.
    fn takes(&self, branch: &Branch, answered: &Answered) -> bool {
        let progress = branch.progress(answered.operation);
        let asked_for = match (&self.phase, answered.operation) {
            (Phase::Open(_), Operation::Try) => {
                branch.definition.endpoint(Operation::Try).is_some()
            }
            (Phase::Open(Side::Confirming { .. }), Operation::Confirm)
            | (Phase::Open(Side::Cancelling { .. }), Operation::Cancel) => true,
            (Phase::Open(Side::Trying | Side::Cancelling { .. }), Operation::Confirm)
            | (Phase::Open(Side::Trying | Side::Confirming { .. }), Operation::Cancel)
            | (Phase::Open(_), Operation::Action | Operation::Compensation)
            | (Phase::Stuck { .. } | Phase::Ended(_), _) => false,
        };
        asked_for && !progress.knows(answered.attempt) && progress.state.takes_answers()
    }

    /// Marks the tries of a lost driver as in doubt. A transaction that waits for its initiator has nothing else to tell.
    pub(super) fn recover(&self, txn: &Transaction, token: FencingToken, now: UnixMillis) -> Step {
        let calling = txn
            .table
            .iter()
            .any(|(_, branch)| matches!(branch.trial.stage, Stage::Calling { .. }));
        match self.side() {
            Some(_) if planted::is(Planted::RecoveryForgetsDoubt) => self.nothing(txn, now),
            Some(Side::Trying) if !calling => self.nothing(txn, now),
            Some(Side::Trying | Side::Confirming { .. } | Side::Cancelling { .. }) => {
                self.recorded(txn, Fact::Recovered { token }, now)
            }
            None => self.nothing(txn, now),
        }
    }

    pub(super) fn refused(&self, asked: &'static str) -> Rejection {
        Rejection::WrongStatus {
            asked,
            status: self.status(),
        }
    }
}

/// Says whether every branch may be confirmed: none was refused, and each try that the coordinator makes is known to
/// have succeeded.
fn require_tried(txn: &Transaction) -> Result<(), Rejection> {
    if txn.table.len() == 0 {
        return Err(Rejection::NoBranches);
    }
    // A refusal first: an answer to another try would not help.
    if let Some((branch, reason)) = refused_try(txn) {
        return Err(Rejection::TryRefused {
            branch_id: branch.definition.branch_id.clone(),
            reason,
        });
    }
    match unknown_try(txn) {
        Some(_) if planted::is(Planted::TccSubmitWhileTryUnknown) => Ok(()),
        Some(branch) => Err(Rejection::TryNotKnown {
            branch_id: branch.definition.branch_id.clone(),
        }),
        None => Ok(()),
    }
}

/// Answers the first branch whose try was refused, and what was said.
pub(crate) fn refused_try(txn: &Transaction) -> Option<(&Branch, Reason)> {
    txn.table.iter().find_map(|(_, branch)| {
        let progress = &branch.trial.progress;
        let said = progress
            .last
            .as_ref()
            .and_then(|last| last.outcome.reason());
        match progress.state {
            OperationState::Refused(_) => Some((branch, said.cloned().unwrap_or_default())),
            OperationState::Open | OperationState::Succeeded(_) | OperationState::Skipped => None,
        }
    })
}

/// Answers the first branch whose try the coordinator makes and does not know to have succeeded.
pub(crate) fn unknown_try(txn: &Transaction) -> Option<&Branch> {
    txn.table.iter().find_map(|(_, branch)| {
        let is_ours = branch.definition.endpoint(Operation::Try).is_some();
        match branch.trial.progress.state {
            OperationState::Open => Some(branch).filter(|_| is_ours),
            OperationState::Refused(_) | OperationState::Succeeded(_) | OperationState::Skipped => {
                None
            }
        }
    })
}
