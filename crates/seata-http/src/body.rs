//! Takes the body of a request: declared as JSON, within its bound and within its time, in one piece.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use crate::code::ErrorCode;
use crate::problem::Problem;

/// How long a client may take to send its body: a connection that is half asked holds a place.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Reads a body whole. One that declares to be too large is refused before any of it is read.
pub(crate) async fn read(request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        return Err(Problem::new(
            ErrorCode::UnsupportedMediaType,
            "the body is not declared as JSON: send the header content-type: application/json",
        ));
    }
    if declared(&parts.headers, &body) > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    let reading = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(BODY_WITHIN, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(bytes_max)),
        Ok(Err(_)) => Err(Problem::field(
            "the body",
            "broke off: send all of it, as long as its content-length says",
        )),
        Err(_) => Err(Problem::field(
            "the body",
            format_args!(
                "did not come within {} s: send it at once",
                BODY_WITHIN.as_secs()
            ),
        )),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::too_large("the body", bytes_max)
}

/// The size that the client announces, if it does.
fn declared(headers: &HeaderMap, body: &Body) -> u64 {
    headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| body.size_hint().lower())
}

/// Looks at the type alone: JSON is UTF-8, whatever a charset says.
fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = declared.map(|text| text.split(';').next().unwrap_or("").trim());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}
