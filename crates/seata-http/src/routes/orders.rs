//! The orders of operators: `/api/tx/{gid}/retry`, `/skip`, `/force`.

use std::sync::Arc;

use axum::extract::Request;
use http::StatusCode;
use seata_engine::Order;

use crate::answer::{json, ordered};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::OrderBody;
use crate::parse::parse;
use crate::problem::Problem;
use crate::query::gid_of_path;

/// Gives an order to the engine.
pub(super) async fn order(
    api: Arc<Api>,
    request: Request,
    read: for<'a> fn(&OrderBody<'a>) -> Result<Order, Problem>,
) -> Answer {
    let gid = gid_of_path(request.uri().path());
    let body = api.bodies.take(request).await?;
    let gid = gid?;
    let order = parse::<OrderBody<'_>>(&body).and_then(|body| read(&body))?;
    drop(body);
    let snapshot = api
        .engine
        .order(gid.clone(), order)
        .await
        .map_err(|error| Problem::from(error).of(&gid))?;
    Ok(json(StatusCode::OK, &ordered(&snapshot, api.engine.now())))
}
