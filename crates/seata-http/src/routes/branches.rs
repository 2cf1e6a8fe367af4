//! `/api/branch/try`, `/register`, `/confirm`, `/cancel`, `/succeed` and `/fail`.

use std::sync::Arc;

use axum::extract::Request;
use http::StatusCode;
use seata_core::{BranchId, Gid};
use seata_engine::{Completion, Snapshot};
use seata_service::request::CompletionRequest;
use seata_service::{Problem, Tried};

use crate::answer::{Added, accepted, json, pending_try, tried};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::{BranchBody, BranchOrderBody, CompletionBody};
use crate::parse::parse;
use crate::read;

/// Registers a branch whose try the initiator calls itself.
pub(super) async fn register(api: Arc<Api>, request: Request) -> Answer {
    let service = &api.service;
    let body = api.bodies.take(request).await?;
    let added = parse::<BranchBody<'_>>(&body)
        .and_then(read::added_branch)
        .and_then(|asked| asked.resolve_registered(service.rules()))?;
    let room = body.into_room();
    let registered = service.register_branch(added).await;
    drop(room);
    registered?;
    Ok(json(StatusCode::OK, &Added::success()))
}

/// Registers a branch and makes one attempt at its try.
pub(super) async fn try_(api: Arc<Api>, request: Request) -> Answer {
    let service = &api.service;
    let body = api.bodies.take(request).await?;
    let added = parse::<BranchBody<'_>>(&body)
        .and_then(read::added_branch)
        .and_then(|asked| asked.resolve_tried(service.rules()))?;
    let room = body.into_room();
    let branch_id = added.branch.branch_id.clone();
    let known = service.try_branch(added).await;
    drop(room);
    Ok(match known? {
        Tried::Succeeded(snapshot) => json(StatusCode::OK, &tried(&snapshot, &branch_id)),
        Tried::NotKnown { snapshot, reason } => json(
            StatusCode::ACCEPTED,
            &pending_try(&snapshot, &branch_id, reason.as_ref()),
        ),
    })
}

/// Confirms a branch.
pub(super) async fn confirm(api: Arc<Api>, request: Request) -> Answer {
    let (gid, branch) = ordered(&api, request).await?;
    let confirmed = api.service.confirm_branch(gid, branch).await?;
    decided(&confirmed)
}

/// Cancels a branch.
pub(super) async fn cancel(api: Arc<Api>, request: Request) -> Answer {
    let (gid, branch) = ordered(&api, request).await?;
    let cancelled = api.service.cancel_branch(gid, branch).await?;
    decided(&cancelled)
}

/// Records a completion from outside.
pub(super) async fn complete(
    api: Arc<Api>,
    request: Request,
    resolve: for<'a> fn(&CompletionRequest<'a>) -> Result<(Gid, Completion), Problem>,
) -> Answer {
    let body = api.bodies.take(request).await?;
    let (gid, completion) = parse::<CompletionBody<'_>>(&body)
        .and_then(read::completion)
        .and_then(|asked| resolve(&asked))?;
    drop(body);
    let completed = api.service.complete(gid, completion).await?;
    decided(&completed)
}

async fn ordered(api: &Api, request: Request) -> Result<(Gid, BranchId), Problem> {
    let body = api.bodies.take(request).await?;
    parse::<BranchOrderBody<'_>>(&body).and_then(|body| read::branch_order(body).resolve())
}

fn decided(snapshot: &Snapshot) -> Answer {
    Ok(json(StatusCode::OK, &accepted(snapshot)))
}
