//! Takes the bodies of requests: declared as JSON, each within its bound and its time, all within the room for them.

use std::ops::Deref;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::code::ErrorCode;
use crate::problem::Problem;

/// How long a client may take to send its body: a connection that is half asked holds a place.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// The most bytes of bodies in memory, of all clients together: their number is bounded by connections alone, and
/// each connection of HTTP/2 may send many.
const BODIES_BYTES_MAX: usize = 256 << 20;

/// The room for bodies.
pub(crate) struct Bodies {
    body_bytes_max: usize,
    room: Semaphore,
}

/// A body that came whole. Its room is free again when it is dropped.
pub(crate) struct Taken<'a> {
    bytes: Bytes,
    _held: Held<'a>,
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

    /// Takes a body whole. One that declares to be too large is refused before any of it is read.
    pub(crate) async fn take(&self, request: Request) -> Result<Taken<'_>, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Problem::new(
                ErrorCode::UnsupportedMediaType,
                "the body is not declared as JSON: send the header content-type: application/json",
            ));
        }
        if declared(&parts.headers).is_some_and(|bytes| bytes > self.body_bytes_max as u64) {
            return Err(self.too_large());
        }
        let taking = tokio::time::timeout(BODY_WITHIN, self.gather(body)).await;
        taking.unwrap_or_else(|_| {
            let within = BODY_WITHIN.as_secs();
            let why = format_args!("did not come within {within} s: send it at once");
            Err(Problem::field("the body", why))
        })
    }

    /// Nearly every body comes in one piece, which is not copied.
    async fn gather(&self, mut body: Body) -> Result<Taken<'_>, Problem> {
        let mut held = Held::default();
        let mut first = Bytes::new();
        let mut all = BytesMut::new();
        while let Some(piece) = self.piece(&mut body, &mut held).await? {
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
            _held: held,
        })
    }

    async fn piece<'a>(
        &'a self,
        body: &mut Body,
        held: &mut Held<'a>,
    ) -> Result<Option<Bytes>, Problem> {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                let why = "broke off: send all of it, as long as its content-length says";
                Problem::field("the body", why)
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
        Problem::too_large("the body", self.body_bytes_max)
    }
}

/// What one body takes of the room.
#[derive(Default)]
struct Held<'a> {
    bytes: usize,
    permit: Option<SemaphorePermit<'a>>,
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
