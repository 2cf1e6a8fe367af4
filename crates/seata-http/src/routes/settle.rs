//! Renders how far a client that submitted or aborted sees it come.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use seata_engine::Snapshot;
use seata_service::Settled;

use crate::answer::{accepted, ended, json};
use crate::api::Api;
use crate::endpoint::Answer;

/// Answers a decision that is durable, at once or when the transaction has ended.
pub(super) async fn settle(api: &Api, decided: Snapshot, wait: Option<Duration>) -> Answer {
    let settled = api.service.settle(decided, wait).await?;
    let ended = |status, snapshot: &Snapshot| -> Response {
        json(status, &ended(&api.service.view(snapshot)))
    };
    Ok(match &settled {
        Settled::Accepted(snapshot) => json(StatusCode::OK, &accepted(snapshot)),
        Settled::Ended(snapshot) => ended(StatusCode::OK, snapshot),
        Settled::Pending(snapshot) => ended(StatusCode::ACCEPTED, snapshot),
    })
}
