//! The one shape in which every refusal goes out: a status and `{error, code, details}`.

use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use seata_service::{Detail, ErrorCode, Problem};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::answer::json;

/// Answers the HTTP status that carries a code.
#[must_use]
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidRequest | ErrorCode::InvalidGid => StatusCode::BAD_REQUEST,
        ErrorCode::RouteNotFound | ErrorCode::TransactionNotFound | ErrorCode::BranchNotFound => {
            StatusCode::NOT_FOUND
        }
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::GidConflict
        | ErrorCode::BranchConflict
        | ErrorCode::BranchRefused
        | ErrorCode::InvalidStatusTransition => StatusCode::CONFLICT,
        ErrorCode::EventsGone => StatusCode::GONE,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::RecordUnreadable | ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::StoreUnavailable | ErrorCode::StoreFull | ErrorCode::Stopping => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Answers a refusal.
pub(crate) fn respond(problem: &Problem) -> Response {
    let mut response = json(status_of(problem.code), &ProblemJson(problem));
    if let Some(value) = retry_after(problem) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Answers when to come back: every 429 and 503 says it.
pub(crate) fn retry_after(problem: &Problem) -> Option<HeaderValue> {
    problem.retry_after_secs().map(HeaderValue::from)
}

/// A refusal as JSON.
pub(crate) struct ProblemJson<'a>(pub(crate) &'a Problem);

impl Serialize for ProblemJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("error", self.0.text())?;
        map.serialize_entry("code", self.0.code.as_str())?;
        map.serialize_entry("details", &Details(self.0.details()))?;
        map.end()
    }
}

struct Details<'a>(&'a [(&'static str, Detail)]);

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.iter();
        serializer.collect_map(entries.map(|(name, detail)| (name, DetailJson(detail))))
    }
}

struct DetailJson<'a>(&'a Detail);

impl Serialize for DetailJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Detail::Text(text) => serializer.serialize_str(text),
            Detail::Count(count) => serializer.serialize_u64(*count),
            Detail::Names(names) => names.serialize(serializer),
        }
    }
}
