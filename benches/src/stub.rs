//! All participants in one: answers every call, and counts them by operation and key.
//!
//! What stands behind `_` in the last part of a path says how a call is answered: `refuse` refuses, `10ms` takes that long.
//! `PUT /answer/STATUS` makes it answer every other call with that status; at first it is 200. `GET /calls` tells the calls so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::calls::{Calls, Operation, key};
use crate::serve;
use crate::wire::{AnswerBody, Wire, answer};

struct Stub {
    wire: Wire,
    counts: [AtomicU64; Operation::ALL.len()],
    keys: AtomicU64,
    /// The status of every answer.
    status: AtomicU16,
}

/// Answers for ever.
///
/// # Errors
/// It can't listen.
pub(crate) async fn serve(wire: Wire) -> Result<()> {
    let stub = Arc::new(Stub::new(wire));
    serve::serve(wire, move |request| respond(Arc::clone(&stub), request)).await
}

async fn respond(stub: Arc<Stub>, request: Request<Incoming>) -> Response<AnswerBody> {
    match *request.method() {
        Method::POST => {
            stub.count(request.headers(), request.uri());
            let (delay, refuses) = manner(request.uri().path());
            // A call counts when it arrives; a connection stays usable only when its body is read.
            let _body = request.into_body().collect().await;
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            let status = if refuses {
                StatusCode::CONFLICT
            } else {
                stub.status()
            };
            answer(stub.wire, status, Bytes::new())
        }
        Method::PUT => answer(Wire::Http, stub.order(request.uri().path()), Bytes::new()),
        _ => stub.told(),
    }
}

/// Answers how long a call takes, and whether it is refused.
fn manner(path: &str) -> (Duration, bool) {
    let words = || {
        path.rsplit('/')
            .next()
            .unwrap_or_default()
            .split('_')
            .skip(1)
    };
    let delay = words().find_map(|word| word.strip_suffix("ms")?.parse().ok());
    let refuses = words().any(|word| word == "refuse");
    (Duration::from_millis(delay.unwrap_or(0)), refuses)
}

/// Answers which call it is: by our headers, or by dtm's query.
fn identity(headers: &HeaderMap, uri: &Uri) -> (Operation, Option<u64>) {
    let header = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    let query = |name: &str| {
        let mut pairs = uri
            .query()?
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_bytes())
    };
    let of = |ours: &str, theirs: &str| header(ours).or_else(|| query(theirs));
    let operation = of("seata-operation", "op").map_or(Operation::Unnamed, Operation::named);
    let text = |ours, theirs| of(ours, theirs).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let keyed = text("seata-gid", "gid").zip(text("seata-branch-id", "branch_id"));
    (
        operation,
        keyed.map(|(gid, branch)| key(gid, branch, operation)),
    )
}

impl Stub {
    fn new(wire: Wire) -> Self {
        Self {
            wire,
            counts: Default::default(),
            keys: AtomicU64::default(),
            status: AtomicU16::new(StatusCode::OK.as_u16()),
        }
    }

    fn count(&self, headers: &HeaderMap, uri: &Uri) {
        let (operation, key) = identity(headers, uri);
        let known = Operation::ALL.into_iter().zip(&self.counts);
        for (_, count) in known.filter(|(known, _)| *known == operation) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.keys.fetch_add(key.unwrap_or(0), Ordering::Relaxed);
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status.load(Ordering::Relaxed))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn order(&self, path: &str) -> StatusCode {
        let status = path.strip_prefix("/answer/");
        match status.map(StatusCode::try_from) {
            Some(Ok(status)) => {
                self.status.store(status.as_u16(), Ordering::Relaxed);
                StatusCode::OK
            }
            Some(Err(_)) | None => StatusCode::NOT_FOUND,
        }
    }

    fn calls(&self) -> Calls {
        Calls {
            counts: std::array::from_fn(|at| {
                self.counts
                    .get(at)
                    .map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            keys: self.keys.load(Ordering::Relaxed),
        }
    }

    fn told(&self) -> Response<AnswerBody> {
        match serde_json::to_vec(&self.calls()) {
            Ok(json) => answer(Wire::Http, StatusCode::OK, json.into()),
            Err(error) => {
                let text = error.to_string();
                answer(Wire::Http, StatusCode::INTERNAL_SERVER_ERROR, text.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_call_is_answered_as_ordered_until_the_next_order() {
        let stub = Stub::new(Wire::Http);
        assert_eq!(stub.status(), StatusCode::OK);
        assert_eq!(stub.order("/answer/202"), StatusCode::OK);
        assert_eq!(stub.status(), StatusCode::ACCEPTED);
        assert_eq!(stub.order("/answer/soon"), StatusCode::NOT_FOUND);
        assert_eq!(stub.order("/else"), StatusCode::NOT_FOUND);
        assert_eq!(stub.status(), StatusCode::ACCEPTED);
    }

    #[test]
    fn the_path_says_how_a_call_is_answered() {
        assert_eq!(manner("/b1"), (Duration::ZERO, false));
        assert_eq!(manner("/b2_refuse"), (Duration::ZERO, true));
        let slow = (Duration::from_secs(1), false);
        assert_eq!(manner("/bench.Participant/b1_undo_1000ms"), slow);
    }

    #[test]
    fn the_same_call_is_known_by_headers_and_by_a_query() {
        let mut headers = HeaderMap::new();
        headers.insert("seata-gid", "g".parse().unwrap());
        headers.insert("seata-branch-id", "01".parse().unwrap());
        headers.insert("seata-operation", "compensation".parse().unwrap());
        let ours = identity(&headers, &Uri::from_static("/b1"));
        assert_eq!(ours.0, Operation::Compensation);
        let uri = Uri::from_static("/b1?gid=g&trans_type=saga&branch_id=01&op=compensate");
        assert_eq!(identity(&HeaderMap::new(), &uri), ours);
        let nobodys = identity(&HeaderMap::new(), &Uri::from_static("/b1"));
        assert_eq!(nobodys, (Operation::Unnamed, None));
    }
}
