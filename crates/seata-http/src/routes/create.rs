//! `/api/start` and `/api/branch/add`.

use std::sync::Arc;

use axum::extract::Request;
use http::StatusCode;
use serde::Serialize;

use crate::answer::{Added, json};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::{BranchBody, TransactionBody};
use crate::parse::parse;
use crate::read;

#[derive(Serialize)]
struct Started<'a> {
    gid: &'a str,
}

/// Begins a transaction that is not submitted yet.
pub(super) async fn start(api: Arc<Api>, request: Request) -> Answer {
    let service = &api.service;
    let body = api.bodies.take(request).await?;
    let whole = parse::<TransactionBody<'_>>(&body)
        .and_then(|body| read::transaction(body, &service.rules().limits))
        .and_then(|asked| asked.resolve(service.rules(), service.now()))?;
    let room = body.into_room();
    let begun = service.start(whole).await;
    drop(room);
    let gid = begun?.header.gid;
    Ok(json(StatusCode::OK, &Started { gid: gid.as_str() }))
}

/// Adds a branch to a transaction that is not submitted yet.
pub(super) async fn add_branch(api: Arc<Api>, request: Request) -> Answer {
    let service = &api.service;
    let body = api.bodies.take(request).await?;
    let added = parse::<BranchBody<'_>>(&body)
        .and_then(read::added_branch)
        .and_then(|asked| asked.resolve(service.rules()))?;
    let room = body.into_room();
    let snapshot = service.add_branch(added).await;
    drop(room);
    snapshot?;
    Ok(json(StatusCode::OK, &Added::success()))
}
