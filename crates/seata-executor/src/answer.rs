//! An answer over HTTP, as far as it has come.

use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use seata_core::{Outcome, Reason};

use crate::outcome;

/// Notes the status of an answer, and then reads the rest: one read to its end leaves the connection for the next call;
/// one that is larger than the bound, breaks off or takes too long costs the connection.
pub(crate) async fn read(answer: Response<Incoming>, bytes_max: usize, said: &mut Option<Said>) {
    let said = said.insert(Said::new(answer.status()));
    let mut body = answer.into_body();
    let mut read_bytes = 0;
    while read_bytes <= bytes_max
        && let Some(Ok(frame)) = body.frame().await
    {
        let data = frame.data_ref().map_or(&[][..], AsRef::as_ref);
        read_bytes += data.len();
        said.kept.add(data);
    }
}

/// What a participant has said so far: the status stands, whatever becomes of the rest.
pub(crate) struct Said {
    status: StatusCode,
    /// The beginning of its body, if it may tell people why.
    kept: Kept,
}

impl Said {
    const fn new(status: StatusCode) -> Self {
        let bytes_max = match status.as_u16() {
            200..=299 => 0,
            0..=199 | 300..=u16::MAX => Reason::BYTES_MAX,
        };
        Self {
            status,
            kept: Kept {
                bytes: Vec::new(),
                bytes_max,
            },
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        outcome::read(self.status, &self.kept.bytes)
    }
}

/// The beginning of a body.
struct Kept {
    bytes: Vec<u8>,
    bytes_max: usize,
}

impl Kept {
    /// Keeps of what came as much as there is room for.
    fn add(&mut self, more: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&more[..more.len().min(room)]);
    }
}
