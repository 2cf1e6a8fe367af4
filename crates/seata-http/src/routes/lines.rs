//! `/api/tx` as newline-delimited JSON: all that matches, a page at a time, as fast as the client reads.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use seata_service::{AllPages, Asked, Problem};

use crate::answer::lines;
use crate::api::Api;
use crate::endpoint::Answer;

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
    };
    source.ready = source.page().await?;
    let stream = try_unfold(source, async |mut source| {
        let lines = source.next().await.map_err(|problem| {
            tracing::warn!(error = problem.text(), "a list broke off");
            // The client sees its answer break off.
            io::Error::other("the list broke off")
        })?;
        Ok::<_, io::Error>(lines.map(|lines| (lines, source)))
    });
    let mut response = Response::new(Body::from_stream(stream));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    Ok(response)
}

struct Lines {
    pages: AllPages,
    /// Was read and not sent yet.
    ready: Option<Bytes>,
}

impl Lines {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match self.ready.take() {
            Some(ready) => Ok(Some(ready)),
            None => self.page().await,
        }
    }

    async fn page(&mut self) -> Result<Option<Bytes>, Problem> {
        Ok(self.pages.next().await?.map(|headers| lines(&headers)))
    }
}
