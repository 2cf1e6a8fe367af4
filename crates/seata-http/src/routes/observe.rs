//! What may be looked at: a transaction, its history, the server's health and its metrics.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use seata_service::{Detail, ErrorCode, Problem, ShardHealth, StoreState, rfc3339};
use serde::Serialize;

use crate::answer::{self, json};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::problem::{ProblemJson, retry_after, status_of};
use crate::query::gid_of_path;

const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Answers a transaction.
pub(super) async fn transaction(api: Arc<Api>, request: Request) -> Answer {
    let gid = gid_of_path(request.uri().path())?;
    let snapshot = api.service.get(&gid).await?;
    let view = api.service.view(&snapshot);
    Ok(json(StatusCode::OK, &answer::transaction(&view)))
}

/// Answers a transaction's history.
pub(super) async fn events(api: Arc<Api>, request: Request) -> Answer {
    let gid = gid_of_path(request.uri().path())?;
    let (snapshot, events) = api.service.history(&gid).await?;
    let body = answer::events(&snapshot.transaction, &events);
    Ok(json(StatusCode::OK, &body))
}

#[derive(Serialize)]
struct HealthJson<'a> {
    status: &'static str,
    timestamp: String,
    store: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    store_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shards: Vec<&'static str>,
    version: &'static str,
    #[serde(flatten)]
    problem: Option<ProblemJson<'a>>,
}

/// Answers whether this server does its work.
pub(super) async fn health(api: Arc<Api>) -> Answer {
    let store = api.service.store().await;
    let problem = (store.state == StoreState::Unavailable).then(store_down);
    let status = problem
        .as_ref()
        .map_or(StatusCode::OK, |problem| status_of(problem.code));
    let retry_after = problem.as_ref().and_then(retry_after);
    let body = HealthJson {
        status: match store.state {
            StoreState::Ok => "healthy",
            StoreState::Degraded => "degraded",
            StoreState::Unavailable => "unhealthy",
        },
        timestamp: rfc3339(api.service.now()),
        store: store.state.as_str(),
        store_kind: store.kind,
        shards: store.shards.into_iter().map(ShardHealth::as_str).collect(),
        version: api.config.version,
        problem: problem.as_ref().map(ProblemJson),
    };
    let mut response = json(status, &body);
    if let Some(value) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    Ok(response)
}

fn store_down() -> Problem {
    Problem::new(
        ErrorCode::StoreUnavailable,
        "the store does not answer: see the server's log",
    )
}

#[derive(Serialize)]
struct StateJson {
    status: &'static str,
}

/// Answers that this process lives.
pub(super) async fn livez() -> Answer {
    Ok(json(StatusCode::OK, &StateJson { status: "alive" }))
}

/// Answers whether this server should be sent requests.
pub(super) async fn readyz(api: Arc<Api>) -> Answer {
    let not_ready = |problem: Problem| problem.with("status", Detail::Text("not ready".into()));
    api.serves().map_err(not_ready)?;
    // One that lacks a part of its databases is ready: all servers lack the same.
    if api.service.store().await.state == StoreState::Unavailable {
        return Err(not_ready(store_down()));
    }
    Ok(json(StatusCode::OK, &StateJson { status: "ready" }))
}

/// Answers the metrics.
pub(super) async fn metrics(api: Arc<Api>) -> Answer {
    let mut response = Response::new(Body::from((api.render)()));
    response.headers_mut().insert(CONTENT_TYPE, PROMETHEUS);
    Ok(response)
}
