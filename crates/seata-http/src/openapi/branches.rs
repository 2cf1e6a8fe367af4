//! The routes for single branches: those of a TCC, and completion from outside.

use seata_service::ErrorCode;
use serde_json::Value;

use super::examples;
use super::operations::{Described, ENGINE, TRANSACTIONS};
use super::schema::named;
use crate::meters::Route;

/// All of them.
pub(super) fn all() -> [Described; 6] {
    [
        try_branch(),
        register(),
        confirm(),
        cancel(),
        succeed(),
        fail(),
    ]
}

fn try_branch() -> Described {
    let summary = "Registers a branch of a TCC and makes one attempt at its try.";
    joins(Route::BranchTry, "tryBranch", summary)
        .takes("TryBranch", examples::try_branch())
        .answers(200, "The try succeeded.", named("Tried"))
        .answers(
            202,
            "Nobody knows yet: send the same body again.",
            named("TryPending"),
        )
        .refuses([ErrorCode::BranchRefused])
}

fn register() -> Described {
    let summary = "Registers a branch of a TCC whose try the initiator calls itself.";
    joins(Route::BranchRegister, "registerBranch", summary)
        .takes("RegisterBranch", examples::register_branch())
        .answers(200, "The branch is durable.", named("Added"))
}

fn joins(route: Route, name: &str, summary: &str) -> Described {
    Described::new(route, name, TRANSACTIONS, summary)
        .refuses([
            ErrorCode::TransactionNotFound,
            ErrorCode::BranchConflict,
            ErrorCode::InvalidStatusTransition,
        ])
        .refuses(ENGINE)
}

fn confirm() -> Described {
    let summary = "Confirms a TCC by one of its branches; once decided, hurries that branch.";
    of_branch(Route::BranchConfirm, "confirmBranch", summary)
        .takes("BranchOrder", examples::branch_order())
        .refuses([ErrorCode::BranchRefused])
}

fn cancel() -> Described {
    let summary = "Cancels a TCC by one of its branches; once decided, hurries that branch.";
    of_branch(Route::BranchCancel, "cancelBranch", summary)
        .takes("BranchOrder", examples::branch_order())
}

fn succeed() -> Described {
    let summary = "Completes an operation from outside: it was done.";
    completes(
        Route::BranchSucceed,
        "succeedBranch",
        summary,
        ("Succeed", examples::succeed()),
    )
}

fn fail() -> Described {
    let summary = "Completes an operation from outside: it was refused.";
    completes(
        Route::BranchFail,
        "failBranch",
        summary,
        ("Fail", examples::fail()),
    )
}

fn completes(route: Route, name: &str, summary: &str, (body, example): (&str, Value)) -> Described {
    of_branch(route, name, summary).takes(body, example)
}

fn of_branch(route: Route, name: &str, summary: &str) -> Described {
    Described::new(route, name, TRANSACTIONS, summary)
        .answers(200, "It is durable.", named("Accepted"))
        .refuses([
            ErrorCode::TransactionNotFound,
            ErrorCode::BranchNotFound,
            ErrorCode::InvalidStatusTransition,
        ])
        .refuses(ENGINE)
}
