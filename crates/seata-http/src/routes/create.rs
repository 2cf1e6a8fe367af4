//! `/api/start` and `/api/branch/add`.

use std::sync::Arc;

use axum::extract::Request;
use http::StatusCode;
use serde::Serialize;

use crate::answer::json;
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::{BranchBody, TransactionBody};
use crate::parse::parse;
use crate::problem::Problem;
use crate::resolve::{added_branch, whole};

#[derive(Serialize)]
struct Started<'a> {
    gid: &'a str,
}

#[derive(Serialize)]
struct Added {
    status: &'static str,
}

/// Begins a transaction that is not submitted yet.
pub(super) async fn start(api: Arc<Api>, request: Request) -> Answer {
    let body = api.bodies.take(request).await?;
    let asked = parse::<TransactionBody<'_>>(&body)
        .and_then(|body| whole(body, api.rules(), api.engine.now()))?;
    let room = body.into_room();
    let gid = asked.gid;
    let begun = api.engine.begin(gid.clone(), asked.definition).await;
    drop(room);
    begun.map_err(|error| Problem::from(error).of(&gid))?;
    Ok(json(StatusCode::OK, &Started { gid: gid.as_str() }))
}

/// Adds a branch to a transaction that is not submitted yet.
pub(super) async fn add_branch(api: Arc<Api>, request: Request) -> Answer {
    let body = api.bodies.take(request).await?;
    let (gid, branch) =
        parse::<BranchBody<'_>>(&body).and_then(|body| added_branch(body, api.rules()))?;
    let room = body.into_room();
    let added = api.engine.add_branch(gid.clone(), branch).await;
    drop(room);
    added.map_err(|error| Problem::from(error).of(&gid))?;
    Ok(json(StatusCode::OK, &Added { status: "success" }))
}
