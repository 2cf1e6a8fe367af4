//! Takes the bodies of requests: declared as JSON, each within its bound and its time, all within the room for them.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;
use seata_service::{ErrorCode, Problem};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a client may take to send its body: a connection that is half asked holds a place.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// The most bytes of bodies in memory, of all clients together: their number is bounded by connections alone, and
/// each connection of HTTP/2 may send many.
const BODIES_BYTES_MAX: usize = 256 << 20;

/// How much of a refused body is read and thrown away, and for how long. Most clients read no answer before they have
/// sent all: to them a connection that is closed meanwhile is broken, and the answer is lost.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
const DISCARD_WITHIN: Duration = Duration::from_secs(5);

/// The room for bodies.
pub(crate) struct Bodies {
    body_bytes_max: usize,
    room: Semaphore,
}

/// A body that came whole. Its room is free again when it is dropped.
pub(crate) struct Taken<'a> {
    bytes: Bytes,
    held: Held<'a>,
}

impl<'a> Taken<'a> {
    /// Lets the bytes go and keeps the room, for what was read from them: as many bytes that wait for the engine.
    pub(crate) fn into_room(self) -> Held<'a> {
        self.held
    }
}

impl Deref for Taken<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Bodies {
    pub(crate) fn new(body_bytes_max: usize) -> Self {
        Self {
            body_bytes_max,
            room: Semaphore::new(BODIES_BYTES_MAX.max(body_bytes_max)),
        }
    }

    /// Takes a body whole. Of one that is refused nothing is kept.
    pub(crate) async fn take(&self, request: Request) -> Result<Taken<'_>, Problem> {
        let (parts, mut body) = request.into_parts();
        let taken = self.taken(&parts.headers, &mut body).await;
        if taken.is_err() {
            discard(&parts.headers, body).await;
        }
        taken
    }

    async fn taken(&self, headers: &HeaderMap, body: &mut Body) -> Result<Taken<'_>, Problem> {
        if !is_json(headers) {
            return Err(Problem::new(
                ErrorCode::UnsupportedMediaType,
                "the body is not declared as JSON: send the header content-type: application/json",
            ));
        }
        if declared(headers).is_some_and(|bytes| bytes > self.body_bytes_max as u64) {
            return Err(self.too_large());
        }
        let taking = tokio::time::timeout(BODY_WITHIN, self.gather(body)).await;
        taking.unwrap_or_else(|_| {
            let within = BODY_WITHIN.as_secs();
            let why = format_args!("the body did not come within {within} s: send it at once");
            Err(Problem::new(ErrorCode::InvalidRequest, why))
        })
    }

    /// Nearly every body comes in one piece, which is not copied.
    async fn gather(&self, body: &mut Body) -> Result<Taken<'_>, Problem> {
        let mut held = Held::default();
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(piece) = self.piece(body, &mut held).await? {
            if first.is_empty() {
                first = piece;
                continue;
            }
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&piece);
        }
        Ok(Taken {
            bytes: if all.is_empty() { first } else { all.freeze() },
            held,
        })
    }

    async fn piece<'a>(
        &'a self,
        body: &mut Body,
        held: &mut Held<'a>,
    ) -> Result<Option<Bytes>, Problem> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                let why = "the body broke off: send all of it, as long as its content-length says";
                Problem::new(ErrorCode::InvalidRequest, why)
            })?;
            // Trailers say nothing to us.
            if let Ok(piece) = frame.into_data() {
                self.hold(piece.len(), held)?;
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn hold<'a>(&'a self, more: usize, held: &mut Held<'a>) -> Result<(), Problem> {
        held.bytes = held.bytes.saturating_add(more);
        let permits = u32::try_from(more).map_err(|_| self.too_large())?;
        if held.bytes > self.body_bytes_max {
            return Err(self.too_large());
        }
        let Ok(permit) = self.room.try_acquire_many(permits) else {
            let text = "the room for requests on their way is full: try again later";
            return Err(Problem::new(ErrorCode::Overloaded, text));
        };
        match &mut held.permit {
            Some(held) => held.merge(permit),
            None => held.permit = Some(permit),
        }
        Ok(())
    }

    fn too_large(&self) -> Problem {
        Problem::too_large("the body", self.body_bytes_max, "SEATA_BODY_BYTES_MAX")
    }
}

/// What one body takes of the room, until dropped.
#[derive(Default)]
pub(crate) struct Held<'a> {
    bytes: usize,
    permit: Option<SemaphorePermit<'a>>,
}

/// Reads what is left of a body that is refused, within bounds, and keeps nothing.
pub(crate) async fn discard<B>(headers: &HeaderMap, mut body: B)
where
    B: hyper::body::Body<Data = Bytes> + Unpin,
{
    // A client that asks first sends nothing once it is refused, and reading would tell it to send.
    if headers.contains_key(EXPECT) {
        return;
    }
    let reading = async {
        let mut read_bytes = 0;
        while read_bytes <= DISCARDED_BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            read_bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // One that takes longer loses its answer.
    let _ = tokio::time::timeout(DISCARD_WITHIN, reading).await;
}

/// The size that the client announces, if it does.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Looks at the type alone: JSON is UTF-8, whatever a charset says.
fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let kind = declared.map(|text| text.split(';').next().unwrap_or("").trim());
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{StreamExt, stream};

    use super::*;

    /// Answers how many of ten pieces were read, of four bytes each.
    async fn pieces_read(expectation: Option<&str>) -> usize {
        let read = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&read);
        let pieces = stream::iter(0..10).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from_static(b"    "))
        });
        let mut request = Request::post("/")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, 40);
        if let Some(expectation) = expectation {
            request = request.header(EXPECT, expectation);
        }
        let request = request.body(Body::from_stream(pieces)).unwrap();
        let bodies = Bodies::new(8);
        let problem = bodies.take(request).await.err().unwrap();
        assert_eq!(problem.code, ErrorCode::PayloadTooLarge);
        read.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn a_refused_body_is_read_to_its_end_so_that_the_client_reads_its_answer() {
        assert_eq!(pieces_read(None).await, 10);
    }

    #[tokio::test]
    async fn a_refused_client_that_asks_first_is_not_told_to_send() {
        assert_eq!(pieces_read(Some("100-continue")).await, 0);
    }
}
