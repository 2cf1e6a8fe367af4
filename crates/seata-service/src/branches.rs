//! The doors for single branches: those of a TCC, and completion from outside.

use seata_core::{BranchId, Gid, Reason};
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
    /// What the engine refuses.
    pub async fn register_branch(&self, added: AddedBranch) -> Result<Snapshot, Problem> {
        let AddedBranch { gid, branch } = added;
        let registered = self.engine().register_branch(gid.clone(), branch).await;
        registered.map_err(|error| Problem::from(error).of(&gid))
    }

    /// Registers a branch of a TCC and makes one attempt at its try.
    ///
    /// # Errors
    /// What the engine refuses, and that the participant refused.
    pub async fn try_branch(&self, added: AddedBranch) -> Result<Tried, Problem> {
        let AddedBranch { gid, branch } = added;
        let branch_id = branch.branch_id.clone();
        let tried = self.engine().try_branch(gid.clone(), branch).await;
        let tried = tried.map_err(|error| Problem::from(error).of(&gid))?;
        match tried.answer {
            TryAnswer::Succeeded => Ok(Tried::Succeeded(tried.snapshot)),
            TryAnswer::NotKnown { reason } => Ok(Tried::NotKnown {
                snapshot: tried.snapshot,
                reason,
            }),
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
