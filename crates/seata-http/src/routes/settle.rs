//! Waits for the end on behalf of a client, and never calls "not finished yet" a failure.

use std::time::Duration;

use http::StatusCode;
use seata_core::Status;
use seata_engine::{EngineError, Snapshot, Waited};

use crate::answer::{accepted, ended, json};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::problem::Problem;

/// Answers a decision that is durable, at once or when the transaction has ended.
pub(super) async fn settle(api: &Api, decided: Snapshot, wait: Option<Duration>) -> Answer {
    let Some(at_most) = wait else {
        return Ok(json(StatusCode::OK, &accepted(&decided)));
    };
    if is_settled(decided.status()) {
        return Ok(json(StatusCode::OK, &ended(&decided, api.engine.now())));
    }
    let gid = decided.header.gid.clone();
    match api.engine.wait_after(decided.clone(), at_most).await {
        Ok(Waited::Settled(snapshot)) => {
            Ok(json(StatusCode::OK, &ended(&snapshot, api.engine.now())))
        }
        Ok(Waited::Pending(snapshot)) => Ok(pending(api, &snapshot)),
        // The decision stands; only the waiting was not possible.
        Err(
            EngineError::Overloaded { .. }
            | EngineError::StoreUnavailable { .. }
            | EngineError::Stopping,
        ) => Ok(pending(api, &decided)),
        Err(error) => Err(Problem::from(error).of(&gid)),
    }
}

fn pending(api: &Api, snapshot: &Snapshot) -> axum::response::Response {
    json(StatusCode::ACCEPTED, &ended(snapshot, api.engine.now()))
}

fn is_settled(status: Status) -> bool {
    match status {
        Status::Committed | Status::Aborted | Status::Stuck => true,
        Status::Prepared | Status::Submitted | Status::Aborting => false,
    }
}
