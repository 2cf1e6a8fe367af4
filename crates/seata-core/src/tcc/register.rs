//! Registration and tries: a branch is durable before anything is done for it.

use std::sync::Arc;

use crate::branch::{Branch, OperationState, Stage};
use crate::definition::BranchDefinition;
use crate::event::{BranchIndex, Fact};
use crate::operation::{Mode, Operation};
use crate::rejection::{Rejection, same_content};
use crate::step::Step;
use crate::tcc::{Phase, Side, Tcc};
use crate::time::UnixMillis;
use crate::transaction::Transaction;

impl Tcc {
    pub(super) fn register(
        &self,
        txn: &Transaction,
        definition: Arc<BranchDefinition>,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        if known(txn, &definition)?.is_some() {
            return Ok(self.nothing(txn, now));
        }
        self.require_new(&definition)?;
        Ok(self.recorded(txn, Fact::BranchAdded(definition), now))
    }

    /// Registers a branch, if it isn't yet, and orders one attempt at its try. While an attempt may be on its way nothing
    /// is ordered: whoever asks waits for its answer.
    pub(super) fn ask_for_try(
        &self,
        txn: &Transaction,
        definition: Arc<BranchDefinition>,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let Some((branch, known)) = known(txn, &definition)? else {
            self.require_new(&definition)?;
            if definition.endpoint(Operation::Try).is_none() {
                return Err(Rejection::NoTryEndpoint {
                    branch_id: definition.branch_id.clone(),
                });
            }
            let branch = crate::dag::index(txn.table.len());
            return Ok(self.recorded_all(
                txn,
                [Fact::BranchAdded(definition), Fact::TryRequested { branch }],
                now,
            ));
        };
        if known.definition.endpoint(Operation::Try).is_none() {
            let branch_id = definition.branch_id.clone();
            return Err(Rejection::TryOfInitiator { branch_id });
        }
        match known.trial.progress.state {
            OperationState::Succeeded(_) | OperationState::Refused(_) | OperationState::Skipped => {
                return Ok(self.nothing(txn, now));
            }
            OperationState::Open => {}
        }
        self.require_undecided("tried")?;
        if is_awaited(known, now) {
            Ok(self.nothing(txn, now))
        } else {
            Ok(self.recorded(txn, Fact::TryRequested { branch }, now))
        }
    }

    fn require_new(&self, definition: &BranchDefinition) -> Result<(), Rejection> {
        if definition.endpoints.mode() != Mode::Tcc {
            return Err(Rejection::WrongMode {
                asked: "given a branch with an action",
                mode: Mode::Tcc,
            });
        }
        self.require_undecided("given another branch")
    }

    pub(super) fn require_undecided(&self, asked: &'static str) -> Result<(), Rejection> {
        match &self.phase {
            Phase::Open(Side::Trying) if self.cause.is_none() && self.forced.is_none() => Ok(()),
            Phase::Open(Side::Trying | Side::Confirming { .. } | Side::Cancelling { .. })
            | Phase::Stuck { .. }
            | Phase::Ended(_) => Err(Rejection::WrongStatus {
                asked,
                status: self.status(),
            }),
        }
    }
}

/// Finds the branch of this name, if it was registered with the same content.
fn known<'a>(
    txn: &'a Transaction,
    definition: &BranchDefinition,
) -> Result<Option<(BranchIndex, &'a Branch)>, Rejection> {
    let found = txn
        .table
        .find(&definition.branch_id)
        .and_then(|index| txn.table.get(index).map(|branch| (index, branch)));
    match found {
        Some((_, branch))
            if !same_content(branch.definition.fingerprint, definition.fingerprint) =>
        {
            Err(conflict(&branch.definition, definition))
        }
        Some(_) | None => Ok(found),
    }
}

/// Says why a branch is not the one that is known: another of the two may be wanted to call its try.
fn conflict(known: &BranchDefinition, asked: &BranchDefinition) -> Rejection {
    let branch_id = known.branch_id.clone();
    let caller = |branch: &BranchDefinition| branch.endpoint(Operation::Try).map(drop);
    match (caller(known), caller(asked)) {
        (None, Some(())) => Rejection::TryOfInitiator { branch_id },
        (Some(()), None) => Rejection::TryOfCoordinator { branch_id },
        (None, None) | (Some(()), Some(())) => Rejection::BranchConflict { branch_id },
    }
}

/// Says whether an attempt was ordered, or may be on its way: its answer is worth waiting for.
fn is_awaited(branch: &Branch, now: UnixMillis) -> bool {
    match branch.trial.stage {
        Stage::Requested => true,
        Stage::Calling { until } => until > now || branch.trial.progress.flight.is_some(),
        Stage::Idle => branch.trial.progress.flight.is_some(),
    }
}
