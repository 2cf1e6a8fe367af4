//! The orders of operators: `/api/tx/{gid}/retry`, `/skip`, `/force`.

use std::sync::Arc;

use axum::extract::Request;
use http::StatusCode;
use seata_engine::Order;
use seata_service::Problem;
use seata_service::request::OrderRequest;

use crate::answer::{json, ordered};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::parse::bodies::OrderBody;
use crate::parse::parse;
use crate::query::gid_of_path;
use crate::read;

/// Gives an order to the engine.
pub(super) async fn order(
    api: Arc<Api>,
    request: Request,
    resolve: for<'a> fn(&OrderRequest<'a>) -> Result<Order, Problem>,
) -> Answer {
    let gid = gid_of_path(request.uri().path());
    let body = api.bodies.take(request).await?;
    let gid = gid?;
    let order = parse::<OrderBody<'_>>(&body)
        .and_then(read::order)
        .and_then(|asked| resolve(&asked))?;
    drop(body);
    let snapshot = api.service.order(gid, order).await?;
    let view = api.service.view(&snapshot);
    Ok(json(StatusCode::OK, &ordered(&view)))
}
