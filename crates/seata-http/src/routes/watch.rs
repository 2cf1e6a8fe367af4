//! `/api/tx/{gid}/watch`: one transaction's history as it grows, on any server.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::{FutureExt, StreamExt};
use http::{HeaderMap, StatusCode};
use seata_service::{Problem, Watched};

use crate::answer::event;
use crate::api::Api;
use crate::endpoint::Answer;
use crate::query::gid_of_path;
use crate::sse;

/// Answers the events behind the one that the client has seen last, each as it comes, to the end of the transaction.
pub(super) async fn watch(api: Arc<Api>, request: Request) -> Answer {
    let gid = gid_of_path(request.uri().path())?;
    let behind = last_number(request.headers())?;
    api.serves()?;
    let watch = api.service.watch(gid, behind).await?;
    let mut pieces = Box::pin(watch.into_stream().map(render));
    // A browser that is told of the end by the end of the stream comes again for ever.
    match pieces.next().now_or_never() {
        Some(None) => Ok(nothing_more()),
        Some(Some(first)) => {
            let all = futures_util::stream::once(async { first }).chain(pieces);
            Ok(sse::respond(all))
        }
        None => Ok(sse::respond(pieces)),
    }
}

fn last_number(headers: &HeaderMap) -> Result<u32, Problem> {
    match sse::last_event_id(headers)? {
        None => Ok(0),
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().map_err(|_| sse::not_ours())
        }
        Some(_) => Err(sse::not_ours()),
    }
}

fn render(next: Result<Watched, Problem>) -> String {
    let mut text = String::new();
    match next {
        Ok(watched) => {
            for each in &watched.events {
                let data = event(&watched.snapshot.transaction, each);
                sse::write(&mut text, each.number, None, &data);
            }
        }
        Err(problem) => sse::write_problem(&mut text, &problem),
    }
    text
}

/// Tells a client that has seen all of a transaction that has ended.
fn nothing_more() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
