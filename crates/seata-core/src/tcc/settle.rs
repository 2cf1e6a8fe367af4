//! An operator's orders: recorded, and carried out by the driver.

use crate::agenda::Place;
use crate::completion::skipped;
use crate::event::{BranchIndex, End, Fact};
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::step::Step;
use crate::tcc::{Phase, Side, Tcc};
use crate::text::Reason;
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Tcc {
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

    /// Orders the end: only the decided one, or either while undecided.
    pub(super) fn force(
        &self,
        txn: &Transaction,
        to: End,
        reason: Reason,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let allowed = match (&self.phase, to) {
            (Phase::Ended(end), _) if *end == to => return Ok(self.nothing(txn, now)),
            (Phase::Ended(_), _) => false,
            (Phase::Open(side) | Phase::Stuck { side, .. }, End::Committed) => match side {
                Side::Trying | Side::Confirming { .. } => true,
                Side::Cancelling { .. } => false,
            },
            (Phase::Open(side) | Phase::Stuck { side, .. }, End::Aborted) => match side {
                Side::Trying | Side::Cancelling { .. } => true,
                Side::Confirming { .. } => false,
            },
        };
        match self.forced {
            None if allowed => Ok(self.recorded(txn, Fact::Forced { to, reason }, now)),
            Some(ordered) if allowed && ordered == to => Ok(self.nothing(txn, now)),
            // The first order stands, though nobody has carried it out yet.
            Some(_) | None => Err(self.refused(match to {
                End::Committed => "forced to COMMITTED",
                End::Aborted => "forced to ABORTED",
            })),
        }
    }
}
