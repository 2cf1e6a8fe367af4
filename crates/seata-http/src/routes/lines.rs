//! `/api/tx` as newline-delimited JSON: all that matches, a page at a time, as fast as the client reads.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use seata_service::{AllPages, Asked, Problem};

use crate::answer::lines;
use crate::api::Api;
use crate::endpoint::Answer;
use crate::problem::ProblemJson;

const NDJSON: &str = "application/x-ndjson";

/// Looks whether a client asks for lines.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|kind| kind.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case(NDJSON))
}

/// Streams what matches. The first page is read before the answer begins, so that what fails at once is told properly.
pub(super) async fn stream(api: Arc<Api>, asked: Asked) -> Answer {
    let mut source = Lines {
        pages: api.service.list_all(asked),
        ready: None,
        rest: Rest::Unread,
    };
    source.ready = source.page().await?;
    if source.ready.is_none() {
        source.rest = Rest::Nothing;
    }
    // When the client goes away nobody asks for the next page.
    let stream = unfold(source, async |mut source| {
        let lines = source.next().await?;
        Some((Ok::<_, Infallible>(lines), source))
    });
    let mut response = Response::new(Body::from_stream(stream));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

/// What stands behind what was sent.
enum Rest {
    /// Perhaps more.
    Unread,
    /// Nothing.
    Nothing,
}

struct Lines {
    pages: AllPages,
    /// Was read and not sent yet.
    ready: Option<Bytes>,
    rest: Rest,
}

impl Lines {
    /// Answers the next lines. If they can't be read the last one is a refusal: the status was sent long before.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(ready) = self.ready.take() {
            return Some(ready);
        }
        match self.rest {
            Rest::Unread => {}
            Rest::Nothing => return None,
        }
        self.page().await.unwrap_or_else(|problem| {
            tracing::warn!(error = problem.text(), "a list broke off");
            self.rest = Rest::Nothing;
            Some(last_line(&problem))
        })
    }

    async fn page(&mut self) -> Result<Option<Bytes>, Problem> {
        Ok(self.pages.next().await?.map(|headers| lines(&headers)))
    }
}

fn last_line(problem: &Problem) -> Bytes {
    let mut line = serde_json::to_vec(&ProblemJson(problem)).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
