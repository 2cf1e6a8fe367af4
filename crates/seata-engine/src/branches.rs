//! The doors for single branches: those of a TCC, and completion from outside.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{BranchDefinition, BranchId, Fingerprint, Gid, TrialView};

use crate::admission::{WAITERS, overloaded};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::mailbox::Asked;
use crate::outage::Outage;
use crate::shared::RETRY_AFTER;
use crate::snapshot::{Completion, Snapshot, Tried, TryAnswer};

/// Whether a wait for an answer is over without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GivenUp {
    Yes,
    No,
}

/// What is on record of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registered {
    So,
    /// Another branch has its name.
    Otherwise,
    NotYet,
}

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

    /// Registers a branch of a TCC, if it isn't yet, asks for one attempt at its try, and waits for its answer. While an
    /// attempt is on its way, whoever made it, the same content waits for that one's answer; after a success or a
    /// refusal it is told without a call.
    ///
    /// # Errors
    /// As [`Engine::add_branch`]; [`EngineError::Overloaded`] also beyond `waiters_max`.
    pub async fn try_branch(
        &self,
        gid: Gid,
        branch: Arc<BranchDefinition>,
    ) -> Result<Tried, EngineError> {
        let Some(_place) = self.shared.waiters.enter(&gid) else {
            return Err(overloaded(WAITERS));
        };
        let begun = self.shared.boot();
        let lease = self.shared.config.lease;
        // Until a driver elsewhere has learnt of the order, and made the call.
        let patience = |limit: Duration| (begun + lease).saturating_add(limit);
        let sought = Sought::of(&branch);
        let asked = self.post(&gid, Asked::Try(branch))?;
        let snapshot = match self.heard(asked, lease * 2, Outage::is_away).await {
            Some(Ok(answered)) => answered?,
            // The driver was lost with what it had promised, or it takes long: what is recorded tells.
            Some(Err(_)) | None => self.get(&gid).await?,
        };
        let limit = snapshot.transaction.options().request_timeout;
        let limit = sought.request_timeout.unwrap_or(limit);
        self.tried(snapshot, &sought, patience(limit)).await
    }

    /// Looks until the try is answered, or nobody makes it any more, or it takes too long.
    async fn tried(
        &self,
        mut snapshot: Snapshot,
        sought: &Sought,
        give_up_at: Duration,
    ) -> Result<Tried, EngineError> {
        let gid = snapshot.header.gid.clone();
        let mut looks = self.shared.lookers.begin();
        loop {
            let over = self.shared.boot() >= give_up_at || self.shared.is_stopping();
            let given_up = if over || snapshot.status().is_final() {
                GivenUp::Yes
            } else {
                GivenUp::No
            };
            match (sought.is_registered(&snapshot), given_up) {
                (Registered::So, _) => {
                    if let Some(answer) = try_answer(&snapshot, &sought.branch_id, given_up) {
                        return Ok(Tried { snapshot, answer });
                    }
                }
                (Registered::Otherwise, _) | (Registered::NotYet, GivenUp::Yes) => {
                    return Err(EngineError::StoreUnavailable {
                        retry_after: RETRY_AFTER,
                    });
                }
                (Registered::NotYet, GivenUp::No) => {}
            }
            tokio::time::sleep(looks.pause()).await;
            snapshot = self.get(&gid).await?;
        }
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

/// What whoever waits for a try must know of its branch: the content itself may be large, and is held once.
struct Sought {
    branch_id: BranchId,
    fingerprint: Fingerprint,
    /// The time limit of its own.
    request_timeout: Option<Duration>,
}

impl Sought {
    fn of(branch: &BranchDefinition) -> Self {
        Self {
            branch_id: branch.branch_id.clone(),
            fingerprint: branch.fingerprint,
            request_timeout: branch.options.request_timeout,
        }
    }

    /// Says whether this branch is on record. If it isn't, whoever asked for its try must be told nothing: the order was
    /// lost, or is still on its way.
    fn is_registered(&self, snapshot: &Snapshot) -> Registered {
        let txn = &snapshot.transaction;
        let known = txn
            .find_branch(&self.branch_id)
            .ok()
            .and_then(|index| txn.branch(index));
        match known {
            Some(known) if known.fingerprint == self.fingerprint => Registered::So,
            Some(_) => Registered::Otherwise,
            None => Registered::NotYet,
        }
    }
}

/// Says what a state tells of a try; none while it is worth waiting for.
fn try_answer(snapshot: &Snapshot, branch_id: &BranchId, given_up: GivenUp) -> Option<TryAnswer> {
    let txn = &snapshot.transaction;
    let trial = txn
        .find_branch(branch_id)
        .ok()
        .and_then(|index| txn.trial(index));
    match trial {
        Some(TrialView::Succeeded) => Some(TryAnswer::Succeeded),
        Some(TrialView::Refused { reason }) => Some(TryAnswer::Refused { reason }),
        Some(TrialView::NotKnown { reason }) => Some(TryAnswer::NotKnown { reason }),
        Some(TrialView::Awaited) | None => match given_up {
            GivenUp::No => None,
            GivenUp::Yes => Some(TryAnswer::NotKnown { reason: None }),
        },
    }
}
