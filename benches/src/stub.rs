//! All participants in one: answers every call at once, and counts them by operation.
//!
//! `PUT /answer/STATUS` makes it answer every call with that status; at first it is 200. `GET /counts` tells the calls so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use crate::serve::{self, answer};

/// How often each operation was called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) action: u64,
    pub(crate) compensation: u64,
    /// Calls that name no operation: the null coordinator's.
    pub(crate) other: u64,
}

impl Counts {
    /// Answers how many calls came.
    pub(crate) fn all(self) -> u64 {
        self.action + self.compensation + self.other
    }

    /// Adds.
    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            action: self.action + more.action,
            compensation: self.compensation + more.compensation,
            other: self.other + more.other,
        }
    }

    /// Answers the calls since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            action: self.action - before.action,
            compensation: self.compensation - before.compensation,
            other: self.other - before.other,
        }
    }
}

struct Stub {
    action: AtomicU64,
    compensation: AtomicU64,
    other: AtomicU64,
    /// The status of every answer.
    status: AtomicU16,
}

/// Answers for ever.
///
/// # Errors
/// It can't listen.
pub(crate) async fn serve() -> Result<()> {
    let stub = Arc::new(Stub::new());
    serve::serve(move |request| respond(Arc::clone(&stub), request)).await
}

async fn respond(stub: Arc<Stub>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match *request.method() {
        Method::POST => {
            stub.count(&request);
            // A call counts when it arrives; a connection stays usable only when its body is read.
            let _body = request.into_body().collect().await;
            answer(stub.status(), "")
        }
        Method::PUT => stub.order(request.uri().path()),
        _ => stub.told(),
    }
}

impl Stub {
    fn new() -> Self {
        Self {
            action: AtomicU64::default(),
            compensation: AtomicU64::default(),
            other: AtomicU64::default(),
            status: AtomicU16::new(StatusCode::OK.as_u16()),
        }
    }

    fn count(&self, request: &Request<Incoming>) {
        let operation = request.headers().get("seata-operation");
        let counter = match operation.map(http::HeaderValue::as_bytes) {
            Some(b"action") => &self.action,
            Some(b"compensation") => &self.compensation,
            Some(_) | None => &self.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status.load(Ordering::Relaxed))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn order(&self, path: &str) -> Response<Full<Bytes>> {
        let status = path.strip_prefix("/answer/");
        match status.map(StatusCode::try_from) {
            Some(Ok(status)) => {
                self.status.store(status.as_u16(), Ordering::Relaxed);
                answer(StatusCode::OK, "")
            }
            Some(Err(_)) | None => answer(StatusCode::NOT_FOUND, "PUT /answer/STATUS"),
        }
    }

    fn told(&self) -> Response<Full<Bytes>> {
        let counts = Counts {
            action: self.action.load(Ordering::Relaxed),
            compensation: self.compensation.load(Ordering::Relaxed),
            other: self.other.load(Ordering::Relaxed),
        };
        match serde_json::to_vec(&counts) {
            Ok(json) => answer(StatusCode::OK, json),
            Err(error) => answer(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_answered_as_ordered_until_the_next_order() {
        let stub = Stub::new();
        assert_eq!(stub.status(), StatusCode::OK);
        assert_eq!(stub.order("/answer/202").status(), StatusCode::OK);
        assert_eq!(stub.status(), StatusCode::ACCEPTED);
        assert_eq!(stub.order("/answer/soon").status(), StatusCode::NOT_FOUND);
        assert_eq!(stub.order("/else").status(), StatusCode::NOT_FOUND);
        assert_eq!(stub.status(), StatusCode::ACCEPTED);
    }
}
