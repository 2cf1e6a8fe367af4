//! Server-sent events: how they are written, and how a stream of them is kept alive. Which events there are is decided
//! elsewhere.
//!
//! The format is that of the HTML standard, section "Server-sent events".

use std::convert::Infallible;
use std::fmt::{Display, Write};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt, once, unfold};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use metrics::gauge;
use seata_service::Problem;
use serde::Serialize;

use crate::problem::ProblemJson;

const WATCHERS: &str = "seata_http_watchers";

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Proxies that gather answers would keep events back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How often a comment is sent if there is nothing else, so that proxies keep the connection and a client that is gone
/// is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Says when a browser comes again after the stream has ended: at once is too often while a server restarts.
const COME_AGAIN: &str = "retry: 1000\n\n";

/// Writes one event behind others. A name is only given to what is no plain event.
pub(crate) fn write(
    text: &mut String,
    id: impl Display,
    name: Option<&str>,
    data: &impl Serialize,
) {
    // Into memory: this does not fail, nor do our shapes.
    let _ = writeln!(text, "id: {id}");
    named(text, name, data);
}

/// Writes an event that moves no client on.
pub(crate) fn write_without_id(text: &mut String, name: &str, data: &impl Serialize) {
    named(text, Some(name), data);
}

fn named(text: &mut String, name: Option<&str>, data: &impl Serialize) {
    if let Some(name) = name {
        let _ = writeln!(text, "event: {name}");
    }
    // JSON as it is written here has no line ends, so that one line takes it.
    let data = serde_json::to_string(data).unwrap_or_default();
    let _ = write!(text, "data: {data}\n\n");
}

/// Writes why a stream ends that should have gone on.
pub(crate) fn write_problem(text: &mut String, problem: &Problem) {
    write_without_id(text, "problem", &ProblemJson(problem));
}

/// Reads which event a client has seen last.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(LAST_EVENT_ID) else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| not_ours())?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Refuses the id of an event that no server has sent.
pub(crate) fn not_ours() -> Problem {
    let why = "is none of ours: send the id of the last event that came, or leave the header out";
    Problem::field(LAST_EVENT_ID, why)
}

/// Answers with events, piece by piece as they come.
pub(crate) fn respond(pieces: impl Stream<Item = String> + Send + 'static) -> Response {
    let begun = once(async { COME_AGAIN.to_owned() }).chain(pieces);
    let kept = kept_alive(begun).map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    let mut response = Response::new(Body::from_stream(kept));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Counts a stream for as long as it lasts, however it ends.
struct Watching;

impl Watching {
    fn begin() -> Self {
        gauge!(WATCHERS).increment(1.0);
        Self
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        gauge!(WATCHERS).decrement(1.0);
    }
}

fn kept_alive(pieces: impl Stream<Item = String> + Send + 'static) -> impl Stream<Item = String> {
    let watching = Watching::begin();
    unfold(
        (Box::pin(pieces), watching),
        async |(mut pieces, watching)| {
            let piece = tokio::select! {
                biased;
                piece = pieces.next() => piece?,
                () = tokio::time::sleep(KEEP_ALIVE) => ":\n\n".to_owned(),
            };
            Some((piece, (pieces, watching)))
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::stream::pending;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_whatever_it_says() {
        let mut text = String::new();
        write(&mut text, 7, None, &json!({"error": "a\nb\r\n\ndata: c"}));
        write_without_id(&mut text, "scope", &json!(1));
        assert_eq!(
            text,
            "id: 7\ndata: {\"error\":\"a\\nb\\r\\n\\ndata: c\"}\n\nevent: scope\ndata: 1\n\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_events_is_kept_alive_by_comments() {
        let mut stream = Box::pin(kept_alive(pending()));
        assert_eq!(stream.next().await.unwrap(), ":\n\n");
        assert_eq!(stream.next().await.unwrap(), ":\n\n");
    }
}
