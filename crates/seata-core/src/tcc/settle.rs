//! An operator's orders: recorded, and carried out by the driver.

use crate::agenda::Place;
use crate::completion::require_plain;
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
        if let Some(unknown) = branch.filter(|branch| txn.table.get(*branch).is_none()) {
            return Err(Rejection::no_branch_at(unknown));
        }
        if self.side().is_none() {
            return Err(self.refused("retried"));
        }
        let waits = self.agenda().is_some_and(|agenda| {
            agenda
                .unsettled()
                .filter(|open| branch.is_none_or(|only| only == *open))
                .any(|open| match agenda.place(open) {
                    Place::Waiting(_) | Place::Halted => true,
                    Place::Blocked | Place::Ready | Place::Calling | Place::Settled => false,
                })
        });
        if waits {
            Ok(self.recorded(txn, Fact::Retried { branch, reason }, now))
        } else {
            Err(Rejection::NothingToRetry)
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
        let Some(known) = txn.table.get(branch) else {
            return Err(Rejection::no_branch_at(branch));
        };
        let facing = self.facing(branch);
        let operation = named.unwrap_or(facing.present);
        let open = self.operation() == Some(operation)
            && self
                .agenda()
                .is_some_and(|agenda| agenda.place(branch) != Place::Settled);
        if !open {
            return Err(Rejection::OperationNotOpen {
                branch_id: known.definition.branch_id.clone(),
                operation,
            });
        }
        require_plain(known, facing, named)?;
        let skipped = Fact::Skipped {
            branch,
            operation,
            reason,
        };
        Ok(self.recorded(txn, skipped, now))
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
