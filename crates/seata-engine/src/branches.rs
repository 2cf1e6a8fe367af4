//! The doors for single branches: those of a TCC, and completion from outside.

use std::sync::Arc;

use seata_core::{BranchDefinition, BranchId, Gid};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::mailbox::Asked;
use crate::snapshot::{Completion, Snapshot, Tried, TryAnswer};

impl Engine {
    /// Registers a branch of a TCC whose try the initiator calls itself. Durable when this answers. The same content
    /// again answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn register_branch(
        &self,
        gid: Gid,
        branch: Arc<BranchDefinition>,
    ) -> Result<Snapshot, EngineError> {
        self.add_branch(gid, branch).await
    }

    /// Registers a branch of a TCC, if it isn't yet, and asks for one attempt at its try.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn try_branch(
        &self,
        gid: Gid,
        branch: Arc<BranchDefinition>,
    ) -> Result<Tried, EngineError> {
        let snapshot = self.ask(gid, Asked::Try(branch)).await?;
        let answer = TryAnswer::NotKnown { reason: None };
        Ok(Tried { snapshot, answer })
    }

    /// Confirms a branch of a TCC: the decision for all branches while undecided, and else the order to make the
    /// waiting attempt of this one at once.
    ///
    /// # Errors
    /// As [`Engine::submit`]; also once it was decided to cancel.
    pub async fn confirm_branch(
        &self,
        gid: Gid,
        branch: BranchId,
    ) -> Result<Snapshot, EngineError> {
        self.ask(gid, Asked::ConfirmBranch(branch)).await
    }

    /// Cancels a branch of a TCC: the decision for all branches while undecided, and else the order to make the waiting
    /// attempt of this one at once.
    ///
    /// # Errors
    /// As [`Engine::abort`]; also once it was decided to confirm.
    pub async fn cancel_branch(&self, gid: Gid, branch: BranchId) -> Result<Snapshot, EngineError> {
        let snapshot = self.ask(gid.clone(), Asked::CancelBranch(branch)).await?;
        self.decided(&gid, snapshot).await
    }

    /// Records that an operation was completed from outside. Durable when this answers; whoever drives the transaction
    /// decides what follows. The same completion again answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn complete(
        &self,
        gid: Gid,
        completion: Completion,
    ) -> Result<Snapshot, EngineError> {
        self.ask(gid, Asked::Complete(completion)).await
    }
}
