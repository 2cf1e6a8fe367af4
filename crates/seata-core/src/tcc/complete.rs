//! Completion from outside.

use crate::completion::{AskedFor, Facing, Said, completed};
use crate::event::{BranchIndex, End};
use crate::operation::Operation;
use crate::rejection::Rejection;
use crate::step::Step;
use crate::tcc::{Phase, Side, Tcc};
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Tcc {
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

    pub(super) fn facing(&self, branch: BranchIndex) -> Facing {
        let (present, before) = match &self.phase {
            Phase::Open(side) | Phase::Stuck { side, .. } => match side {
                Side::Trying => (Operation::Try, None),
                Side::Confirming { .. } => (Operation::Confirm, Some(Operation::Try)),
                Side::Cancelling { .. } => (Operation::Cancel, Some(Operation::Try)),
            },
            Phase::Ended(End::Committed) => (Operation::Confirm, Some(Operation::Try)),
            Phase::Ended(End::Aborted) => (Operation::Cancel, Some(Operation::Try)),
        };
        Facing {
            present,
            before,
            asked_for: self.asked_for(branch),
        }
    }

    fn asked_for(&self, branch: BranchIndex) -> AskedFor {
        match &self.phase {
            Phase::Open(Side::Trying) => AskedFor::Now,
            Phase::Open(Side::Confirming { agenda } | Side::Cancelling { agenda }) => {
                AskedFor::on(agenda, branch)
            }
            Phase::Stuck { .. } | Phase::Ended(_) => AskedFor::NotNow,
        }
    }
}
