//! For axum: a call as an extractor, and the barrier's answers as responses.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::{BarrierError, Call, CallError, Skip};

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = CallError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, CallError> {
        Self::try_from(&parts.headers)
    }
}

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, self.to_string()).into_response()
    }
}

impl IntoResponse for Skip {
    fn into_response(self) -> Response {
        (self.http_status(), self.as_str()).into_response()
    }
}

/// 503: nobody knows what happened, so the coordinator asks again. The text names no database; log the error for its causes.
impl IntoResponse for BarrierError {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.to_string()).into_response()
    }
}
