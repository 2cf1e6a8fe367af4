//! The room for messages on their way: what all clients together may have sent that is not answered yet; and the time in
//! which a request must come, so that none holds room for ever.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use seata_service::{ErrorCode, Problem};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

use crate::status::{Within, refuse};

/// The most bytes of messages in memory, of all clients together: their number is bounded by connections and streams
/// alone.
const MESSAGES_BYTES_MAX: usize = 256 << 20;

/// How long a client may take to send its request to the end, as over HTTP.
const REQUEST_WITHIN: Duration = Duration::from_secs(60);

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

/// A body that takes room as it comes, and must come within its time.
pub(crate) struct Counted {
    body: Body,
    /// None: it needs no room.
    held: Option<Held>,
    /// None: nobody had to wait for it yet.
    too_late: Option<Pin<Box<Sleep>>>,
}

impl Counted {
    pub(crate) const fn new(body: Body, held: Option<Held>) -> Self {
        Self {
            body,
            held,
            too_late: None,
        }
    }

    fn poll_too_late(&mut self, context: &mut Context<'_>) -> Poll<Status> {
        let begin = || Box::pin(sleep(REQUEST_WITHIN));
        ready!(
            self.too_late
                .get_or_insert_with(begin)
                .as_mut()
                .poll(context)
        );
        let within = REQUEST_WITHIN.as_secs();
        let why = format_args!("the request did not come within {within} s: send it at once");
        let problem = Problem::new(ErrorCode::InvalidRequest, why);
        Poll::Ready(refuse(&problem, Within::Request))
    }
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.poll_too_late(context).map(|late| Some(Err(late)));
        };
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Some(held) = &self.held
            && let Err(full) = held.more(data.len())
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
    #![allow(clippy::unwrap_used, reason = "tests")]

    use futures_util::stream::{iter, pending};
    use futures_util::{StreamExt, poll};
    use http::{Request, Response};
    use http_body_util::{BodyExt, StreamBody};
    use tower::{Layer, ServiceExt, service_fn};

    use super::*;
    use crate::layer::Observe;
    use crate::meters::Meters;

    /// Asks a service that reads its request to the end, and answers the status.
    async fn asked(room: &Room, path: &str, body: Body) -> Status {
        let observe = Observe {
            meters: Arc::new(Meters::new()),
            room: room.clone(),
            message_bytes_max: 10,
        };
        let reading = service_fn(async |request: Request<Body>| {
            let read = request.into_body().collect().await;
            let status = read.map_or_else(|status| status, |_| Status::ok(""));
            Ok(status.into_http())
        });
        let request = Request::post(path).body(body).unwrap();
        let response: Response<Body> = observe.layer(reading).oneshot(request).await.unwrap();
        Status::from_header_map(response.headers()).unwrap()
    }

    fn of_bytes(count: usize) -> Frame<Bytes> {
        Frame::data(Bytes::from(vec![0; count]))
    }

    fn whole(bytes: usize) -> Body {
        Body::new(StreamBody::new(iter([Ok::<_, Status>(of_bytes(bytes))])))
    }

    const SUBMIT: &str = "/seata.v1.TransactionService/Submit";

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_gives_its_room_back_and_health_needs_none() {
        let room = Room(Arc::new(Semaphore::new(10)));
        let endless = iter([Ok::<_, Status>(of_bytes(10))]).chain(pending());
        let endless = Body::new(StreamBody::new(endless));
        let mut waiting = Box::pin(asked(&room, SUBMIT, endless));
        assert!(poll!(waiting.as_mut()).is_pending());
        let full = asked(&room, SUBMIT, whole(1)).await;
        assert_eq!(full.code(), tonic::Code::ResourceExhausted);
        for method in ["Check", "Watch"] {
            let path = format!("/grpc.health.v1.Health/{method}");
            let healthy = asked(&room, &path, whole(5)).await;
            assert_eq!(healthy.code(), tonic::Code::Ok, "{method}");
        }
        let late = waiting.await;
        assert_eq!(late.code(), tonic::Code::InvalidArgument);
        assert!(late.message().contains("within 60 s"), "{late:?}");
        let again = asked(&room, SUBMIT, whole(10)).await;
        assert_eq!(again.code(), tonic::Code::Ok);
    }

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
