//! Renders what the engine tells as JSON.

mod branches;
mod events;
mod list;
mod submitted;
mod transaction;

pub(crate) use branches::{Added, pending_try, tried};
pub(crate) use events::{event, events};
pub(crate) use list::{headers, lines};
pub(crate) use submitted::{accepted, ended, ordered};
pub(crate) use transaction::transaction;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// The content type of every answer but the metrics.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Makes an answer. It ends with a line, so that no prompt of a shell stands behind it.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // Our shapes have text keys and finite numbers only, so that they always serialize.
    let mut bytes = serde_json::to_vec(body).unwrap_or_default();
    bytes.push(b'\n');
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
