//! Records what comes from outside, or says why not. Decides nothing that follows from it.

use std::sync::Arc;

use crate::again::next_attempt_at;
use crate::agenda::{Agenda, Place};
use crate::branch::{Branch, OperationState};
use crate::completion::{AskedFor, Facing, Said, completed, skipped};
use crate::definition::BranchDefinition;
use crate::event::{Answered, BranchIndex, End, Fact};
use crate::operation::{FencingToken, Mode, Operation, Outcome};
use crate::planted::{self, Planted};
use crate::rejection::{Rejection, same_content};
use crate::saga::{Phase, Saga, Side};
use crate::step::Step;
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Saga {
    pub(super) fn add_branch(
        &self,
        txn: &Transaction,
        definition: Arc<BranchDefinition>,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        if let Some(known) = txn
            .table
            .find(&definition.branch_id)
            .and_then(|index| txn.table.get(index))
        {
            return if same_content(known.definition.fingerprint, definition.fingerprint) {
                Ok(self.nothing(txn, now))
            } else {
                Err(Rejection::BranchConflict {
                    branch_id: definition.branch_id.clone(),
                })
            };
        }
        if definition.endpoints.mode() != Mode::Saga {
            return Err(Rejection::WrongMode {
                asked: "given a branch with try, confirm and cancel",
                mode: Mode::Saga,
            });
        }
        self.require_prepared("given another branch")?;
        if let Some(unknown) = definition
            .after
            .iter()
            .find(|name| txn.table.find(name).is_none())
        {
            let (branch_id, unknown) = (definition.branch_id.clone(), unknown.clone());
            return Err(Rejection::AfterUnknown { branch_id, unknown });
        }
        Ok(self.recorded(txn, Fact::BranchAdded(definition), now))
    }

    pub(super) fn submit(&self, txn: &Transaction, now: UnixMillis) -> Result<Step, Rejection> {
        let decided = || self.refused("submitted");
        match &self.phase {
            Phase::Open(Side::Prepared) if self.cause.is_some() || self.forced.is_some() => {
                Err(decided())
            }
            Phase::Open(Side::Prepared) if txn.table.len() == 0 => Err(Rejection::NoBranches),
            Phase::Open(Side::Prepared) => Ok(self.recorded(txn, Fact::Submitted, now)),
            Phase::Open(Side::Running { .. }) if planted::is(Planted::DuplicateSubmitRedecides) => {
                Ok(self.recorded(txn, Fact::Submitted, now))
            }
            Phase::Open(Side::Running { .. })
            | Phase::Stuck {
                side: Side::Running { .. },
                ..
            }
            | Phase::Ended(End::Committed) => Ok(self.nothing(txn, now)),
            Phase::Open(Side::Aborting { .. })
            | Phase::Stuck {
                side: Side::Prepared | Side::Aborting { .. },
                ..
            }
            | Phase::Ended(End::Aborted) => Err(decided()),
        }
    }

    pub(super) fn abort(
        &self,
        txn: &Transaction,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        match &self.phase {
            Phase::Open(Side::Prepared | Side::Running { .. })
            | Phase::Stuck {
                side: Side::Prepared | Side::Running { .. },
                ..
            } => match (self.forced, &self.cause) {
                (Some(End::Committed), _) => Err(self.refused("aborted")),
                (Some(End::Aborted) | None, None) => {
                    Ok(self.recorded(txn, Fact::AbortRequested { reason }, now))
                }
                (Some(End::Aborted) | None, Some(_)) => Ok(self.nothing(txn, now)),
            },
            Phase::Open(Side::Aborting { .. })
            | Phase::Stuck {
                side: Side::Aborting { .. },
                ..
            }
            | Phase::Ended(End::Aborted) => Ok(self.nothing(txn, now)),
            Phase::Ended(End::Committed) => Err(self.refused("aborted")),
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
        if planted::is(Planted::UnknownReadAsRefusal)
            && answered.operation == Operation::Action
            && let Outcome::Unknown { reason } = &answered.outcome
        {
            answered.outcome = Outcome::Failure {
                reason: reason.clone(),
            };
        }
        let open = branch.progress(answered.operation).state == OperationState::Open;
        if open && self.operation() == Some(answered.operation) {
            answered.next_attempt_at = next_attempt_at(txn, branch, &answered, now);
        }
        self.recorded(txn, Fact::Answered(answered), now)
    }

    /// Says whether an answer is news that the transition table has a row for.
    fn takes(&self, branch: &Branch, answered: &Answered) -> bool {
        let progress = branch.progress(answered.operation);
        let news = !progress.knows(answered.attempt);
        let unblocked = |agenda: &Agenda| match agenda.place(answered.branch) {
            Place::Blocked => false,
            Place::Ready | Place::Waiting(_) | Place::Calling | Place::Halted | Place::Settled => {
                true
            }
        };
        let expected = match (&self.phase, answered.operation) {
            // Blocked, and yet called: what it waits for had been done, and was then told to have failed.
            (Phase::Open(Side::Running { agenda, .. }), Operation::Action) => {
                unblocked(agenda) || self.cause.is_some()
            }
            // Settled but open: there was nothing to undo, so nobody was asked. Blocked, and yet called: as above.
            (Phase::Open(Side::Aborting { agenda }), Operation::Compensation) => {
                agenda.place(answered.branch) != Place::Settled
                    || progress.state != OperationState::Open
            }
            (Phase::Open(Side::Aborting { .. }), Operation::Action) => true,
            (Phase::Open(Side::Prepared), _)
            | (
                Phase::Open(Side::Running { .. }),
                Operation::Compensation | Operation::Try | Operation::Confirm | Operation::Cancel,
            )
            | (
                Phase::Open(Side::Aborting { .. }),
                Operation::Try | Operation::Confirm | Operation::Cancel,
            )
            | (Phase::Stuck { .. } | Phase::Ended(_), _) => false,
        };
        news && expected && progress.state.takes_answers()
    }

    pub(super) fn recover(&self, txn: &Transaction, token: FencingToken, now: UnixMillis) -> Step {
        match self.side() {
            Some(Side::Running { .. } | Side::Aborting { .. })
                if planted::is(Planted::RecoveryForgetsDoubt) =>
            {
                self.nothing(txn, now)
            }
            Some(Side::Running { .. } | Side::Aborting { .. }) => {
                self.recorded(txn, Fact::Recovered { token }, now)
            }
            Some(Side::Prepared) | None => self.nothing(txn, now),
        }
    }

    pub(super) fn retry(
        &self,
        txn: &Transaction,
        branch: Option<BranchIndex>,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        branch.map(|branch| txn.known(branch)).transpose()?;
        if self.side().is_none() {
            return Err(self.refused("retried"));
        }
        match self.agenda() {
            Some(agenda) if agenda.takes_retry(branch) => {
                Ok(self.recorded(txn, Fact::Retried { branch, reason }, now))
            }
            Some(_) | None => Err(Rejection::NothingToRetry),
        }
    }

    pub(super) fn skip(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        named: Option<Operation>,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let known = txn.known(branch)?;
        let skipped = skipped(
            (branch, known),
            self.facing(branch),
            self.open_operation(branch),
            named,
            reason,
        )?;
        Ok(self.recorded(txn, skipped, now))
    }

    /// Answers which operation this branch is still to do in the present direction.
    fn open_operation(&self, branch: BranchIndex) -> Option<Operation> {
        let agenda = self.agenda()?;
        self.operation()
            .filter(|_| agenda.place(branch) != Place::Settled)
    }

    pub(super) fn force(
        &self,
        txn: &Transaction,
        to: End,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let refused = || {
            self.refused(match to {
                End::Committed => "forced to COMMITTED",
                End::Aborted => "forced to ABORTED",
            })
        };
        match (self.side(), to) {
            (Some(Side::Prepared | Side::Running { .. }), End::Committed | End::Aborted)
            | (Some(Side::Aborting { .. }), End::Aborted) => match self.forced {
                None => Ok(self.recorded(txn, Fact::Forced { to, reason }, now)),
                Some(ordered) if ordered == to => Ok(self.nothing(txn, now)),
                // The first order stands, though nobody has carried it out yet.
                Some(_) => Err(refused()),
            },
            (Some(Side::Aborting { .. }), End::Committed) => Err(refused()),
            (None, End::Committed) if self.phase == Phase::Ended(End::Committed) => {
                Ok(self.nothing(txn, now))
            }
            (None, End::Aborted) if self.phase == Phase::Ended(End::Aborted) => {
                Ok(self.nothing(txn, now))
            }
            (None, End::Committed | End::Aborted) => Err(refused()),
        }
    }

    /// Records what somebody outside says of an operation.
    pub(super) fn complete(
        &self,
        txn: &Transaction,
        branch: BranchIndex,
        said: Said,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let known = txn.known(branch)?;
        let completed = completed((branch, known), self.facing(branch), said)?;
        Ok(match completed {
            Some(fact) => self.recorded(txn, fact, now),
            None => self.nothing(txn, now),
        })
    }

    fn facing(&self, branch: BranchIndex) -> Facing {
        let backward = Facing {
            present: Operation::Compensation,
            before: Some(Operation::Action),
            asked_for: AskedFor::NotNow,
        };
        let forward = Facing {
            present: Operation::Action,
            before: None,
            asked_for: AskedFor::NotNow,
        };
        match &self.phase {
            Phase::Open(Side::Running { agenda, .. }) => Facing {
                asked_for: AskedFor::on(agenda, branch),
                ..forward
            },
            Phase::Open(Side::Aborting { agenda }) => Facing {
                asked_for: AskedFor::on(agenda, branch),
                ..backward
            },
            Phase::Open(Side::Prepared)
            | Phase::Stuck {
                side: Side::Prepared | Side::Running { .. },
                ..
            }
            | Phase::Ended(End::Committed) => forward,
            Phase::Stuck {
                side: Side::Aborting { .. },
                ..
            }
            | Phase::Ended(End::Aborted) => backward,
        }
    }

    fn refused(&self, asked: &'static str) -> Rejection {
        Rejection::WrongStatus {
            asked,
            status: self.status(),
        }
    }

    fn require_prepared(&self, asked: &'static str) -> Result<(), Rejection> {
        match &self.phase {
            Phase::Open(Side::Prepared) if self.cause.is_none() && self.forced.is_none() => Ok(()),
            Phase::Open(Side::Prepared | Side::Running { .. } | Side::Aborting { .. })
            | Phase::Stuck { .. }
            | Phase::Ended(_) => Err(self.refused(asked)),
        }
    }
}
