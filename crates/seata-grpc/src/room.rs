//! The room for messages on their way: what all clients together may have sent that is not answered yet.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use seata_service::{ErrorCode, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use crate::status::{Within, refuse};

/// The most bytes of messages in memory, of all clients together: their number is bounded by connections and streams
/// alone.
const MESSAGES_BYTES_MAX: usize = 256 << 20;

/// The room.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// What one request takes of the room, until all that know it are dropped.
#[derive(Clone)]
pub(crate) struct Held {
    room: Arc<Semaphore>,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Room {
    pub(crate) fn new(message_bytes_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            MESSAGES_BYTES_MAX.max(message_bytes_max),
        )))
    }

    /// Begins a request that takes nothing yet.
    pub(crate) fn enter(&self) -> Held {
        Held {
            room: Arc::clone(&self.0),
            permit: Arc::default(),
        }
    }
}

impl Held {
    /// Takes room for so many bytes more.
    fn more(&self, bytes: usize) -> Result<(), Status> {
        let permit = u32::try_from(bytes).ok().and_then(|permits| {
            let room = Arc::clone(&self.room);
            room.try_acquire_many_owned(permits).ok()
        });
        let Some(permit) = permit else {
            let text = "the room for requests on their way is full: try again later";
            let problem = Problem::new(ErrorCode::Overloaded, text);
            return Err(refuse(&problem, Within::Request));
        };
        let mut held = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        Ok(())
    }
}

/// A body that takes room as it comes.
pub(crate) struct Counted {
    body: Body,
    held: Held,
}

impl Counted {
    pub(crate) const fn new(body: Body, held: Held) -> Self {
        Self { body, held }
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(full) = self.held.more(data.len())
        {
            return Poll::Ready(Some(Err(full)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_taken_byte_by_byte_and_given_back() {
        let room = Room(Arc::new(Semaphore::new(10)));
        let held = room.enter();
        assert!(held.more(6).is_ok());
        assert!(held.more(4).is_ok());
        let full = room.enter().more(1);
        assert_eq!(
            full.map_err(|status| status.code()),
            Err(tonic::Code::ResourceExhausted)
        );
        drop(held);
        assert!(room.enter().more(10).is_ok());
    }
}
