//! Says which field of a request the engine refuses: it knows branches by their names, not where they stand.

use std::sync::Arc;

use seata_core::{BranchDefinition, BranchId, Rejection};
use seata_engine::EngineError;

use crate::code::ErrorCode;
use crate::path::Path;
use crate::problem::Problem;
use crate::resolve::{NamedBy, Whole};

/// Answers why a whole transaction was refused. Its name is told if the client can ask by it: one that this server
/// chose for a request that is wrong in itself names nothing.
pub(crate) fn whole(error: EngineError, whole: &Whole) -> Problem {
    let list = Path::Body.key("branches");
    let problem = match &error {
        EngineError::Rejected { rejection, .. } => match in_list(rejection, whole) {
            Some((at, field)) => Problem::from(error).about(list.item(at).key(field)),
            None if *rejection == Rejection::NoBranches => {
                Problem::field(list, "is empty: give at least one branch to submit")
            }
            None => Problem::from(error),
        },
        EngineError::TooManyBranches { .. } => Problem::from(error).about(list),
        EngineError::NotFound { .. }
        | EngineError::GidConflict { .. }
        | EngineError::Overloaded { .. }
        | EngineError::StoreUnavailable { .. }
        | EngineError::StoreFull
        | EngineError::Stopping
        | EngineError::Unreadable { .. }
        | EngineError::TooLarge => Problem::from(error),
    };
    let is_wrong = [ErrorCode::InvalidRequest, ErrorCode::PayloadTooLarge].contains(&problem.code);
    match whole.named_by {
        NamedBy::Server if is_wrong => problem,
        NamedBy::Client | NamedBy::Server => problem.of(&whole.gid),
    }
}

/// Answers why one branch more was refused.
pub(crate) fn added(error: EngineError) -> Problem {
    let after = match &error {
        EngineError::Rejected { rejection, .. } => {
            matches!(rejection, Rejection::AfterUnknown { .. })
        }
        EngineError::NotFound { .. }
        | EngineError::GidConflict { .. }
        | EngineError::TooManyBranches { .. }
        | EngineError::Overloaded { .. }
        | EngineError::StoreUnavailable { .. }
        | EngineError::StoreFull
        | EngineError::Stopping
        | EngineError::Unreadable { .. }
        | EngineError::TooLarge => false,
    };
    let problem = Problem::from(error);
    if after {
        problem.about(Path::Body.key("after"))
    } else {
        problem
    }
}

/// Answers which branch of a list is wrong, and which of its fields.
fn in_list(rejection: &Rejection, whole: &Whole) -> Option<(usize, &'static str)> {
    let branches = &whole.definition.branches;
    match rejection {
        Rejection::BranchTwice { branch_id } => {
            let last = branches.iter().rposition(|branch| is(branch, branch_id));
            Some((last?, "branch_id"))
        }
        Rejection::AfterUnknown { branch_id, .. } => Some((at(branches, branch_id)?, "after")),
        Rejection::AfterCycle { names } => Some((at(branches, names.first()?)?, "after")),
        Rejection::BranchConflict { .. }
        | Rejection::TryOfInitiator { .. }
        | Rejection::TryOfCoordinator { .. }
        | Rejection::NoBranches
        | Rejection::UnknownBranch { .. }
        | Rejection::WrongStatus { .. }
        | Rejection::OperationNotOpen { .. }
        | Rejection::WrongMode { .. }
        | Rejection::NoTryEndpoint { .. }
        | Rejection::TryNotKnown { .. }
        | Rejection::TryRefused { .. }
        | Rejection::NotToComplete { .. }
        | Rejection::CompletedOtherwise { .. }
        | Rejection::OperationUnclear { .. }
        | Rejection::NothingToRetry => None,
    }
}

fn at(branches: &[Arc<BranchDefinition>], name: &BranchId) -> Option<usize> {
    branches.iter().position(|branch| is(branch, name))
}

fn is(branch: &BranchDefinition, name: &BranchId) -> bool {
    branch.branch_id == *name
}
