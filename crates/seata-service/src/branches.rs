//! The doors for single branches: those of a TCC, and completion from outside.

use seata_core::{BranchId, End, Gid, Reason};
use seata_engine::{Completion, Snapshot, TryAnswer};

use crate::problem::Problem;
use crate::resolve::AddedBranch;
use crate::service::Service;

/// What is known of a try that was asked for, unless it was refused.
#[derive(Debug, Clone)]
pub enum Tried {
    /// It succeeded.
    Succeeded(Snapshot),
    /// Nobody knows yet: the same request again asks on.
    NotKnown {
        /// The transaction as it is.
        snapshot: Snapshot,
        /// What was seen instead of an answer, if anything was.
        reason: Option<Reason>,
    },
}

impl Service {
    /// Registers a branch of a TCC whose try the initiator calls itself.
    ///
    /// # Errors
    /// What the engine refuses, and that it was decided to abort: of a known branch too, so that nobody tries it.
    pub async fn register_branch(&self, added: AddedBranch) -> Result<Snapshot, Problem> {
        let AddedBranch { gid, branch } = added;
        let branch_id = branch.branch_id.clone();
        let registered = self.engine().register_branch(gid.clone(), branch).await;
        let registered = registered.map_err(|error| Problem::from(error).of(&gid))?;
        not_aborted(&registered, &branch_id, "given another branch")?;
        Ok(registered)
    }

    /// Registers a branch of a TCC and makes one attempt at its try.
    ///
    /// # Errors
    /// What the engine refuses, that the participant refused, and that it was decided to abort: a success that is known
    /// from before is then no reservation any more.
    pub async fn try_branch(&self, added: AddedBranch) -> Result<Tried, Problem> {
        let AddedBranch { gid, branch } = added;
        let branch_id = branch.branch_id.clone();
        let tried = self.engine().try_branch(gid.clone(), branch).await;
        let tried = tried.map_err(|error| Problem::from(error).of(&gid))?;
        let not_aborted = || not_aborted(&tried.snapshot, &branch_id, "tried");
        match tried.answer {
            TryAnswer::Succeeded => {
                not_aborted()?;
                Ok(Tried::Succeeded(tried.snapshot))
            }
            TryAnswer::NotKnown { reason } => {
                not_aborted()?;
                Ok(Tried::NotKnown {
                    snapshot: tried.snapshot,
                    reason,
                })
            }
            TryAnswer::Refused { reason } => {
                Err(Problem::refused(&tried.snapshot, &branch_id, &reason))
            }
        }
    }

    /// Confirms a branch of a TCC: all of it while undecided, and else this one at once.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn confirm_branch(&self, gid: Gid, branch: BranchId) -> Result<Snapshot, Problem> {
        let confirmed = self.engine().confirm_branch(gid.clone(), branch).await;
        confirmed.map_err(|error| Problem::from(error).of(&gid))
    }

    /// Cancels a branch of a TCC: all of it while undecided, and else this one at once.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn cancel_branch(&self, gid: Gid, branch: BranchId) -> Result<Snapshot, Problem> {
        let cancelled = self.engine().cancel_branch(gid.clone(), branch).await;
        cancelled.map_err(|error| Problem::from(error).of(&gid))
    }

    /// Records a completion from outside.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn complete(&self, gid: Gid, completion: Completion) -> Result<Snapshot, Problem> {
        let completed = self.engine().complete(gid.clone(), completion).await;
        completed.map_err(|error| Problem::from(error).of(&gid))
    }
}

/// Refuses what may only be told of a branch while it is reserved, or may be.
fn not_aborted(
    present: &Snapshot,
    branch_id: &BranchId,
    asked: &'static str,
) -> Result<(), Problem> {
    match present.transaction.decided() {
        None | Some(End::Committed) => Ok(()),
        Some(End::Aborted) => Err(Problem::decided_to_abort(present, branch_id, asked)),
    }
}
