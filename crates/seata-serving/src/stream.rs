//! Streams of HTTP/2 whose client must take what is given to them.
//!
//! Hyper asks a body for its next piece only once the client has taken all before it and the first byte of this one; what a
//! client takes in between is seen by nobody. While hyper waits for that it asks nothing, so that a body has no say in it: who runs the stream must end it. Both meet in the thread on which the
//! stream is polled. So it costs nothing but that look: there is a clock only while a piece is not taken.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use hyper::rt::Executor;
use tokio::time::{Instant, Sleep, sleep};

use crate::PIECE_TAKEN_WITHIN;

/// What a body did last while its stream was polled.
#[derive(Clone, Copy)]
pub(crate) enum Last {
    /// It was not asked.
    Nothing,
    /// It had nothing to give: nobody waits for the client.
    Waits,
    /// It gave a piece, and was not asked for another one.
    Gave,
}

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(Last::Nothing) };
}

pub(crate) fn did(last: Last) {
    LAST.set(last);
}

/// Runs the streams of HTTP/2 connections, each in a task of its own, and resets one whose client has taken nothing for
/// [`PIECE_TAKEN_WITHIN`].
#[derive(Debug, Clone, Copy)]
pub struct Streams;

impl<F> Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(until_stalled(stream));
    }
}

/// Runs a stream to its end, or until it stalls: it is dropped then, which resets it.
async fn until_stalled<F: Future>(stream: F) {
    let mut stream = pin!(stream);
    let mut stalls: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|context| {
        did(Last::Nothing);
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match (LAST.get(), &mut stalls) {
            (Last::Nothing, _) => {}
            (Last::Waits, _) => stalls = None,
            (Last::Gave, None) => stalls = Some(Box::pin(sleep(PIECE_TAKEN_WITHIN))),
            (Last::Gave, Some(stalls)) => {
                stalls.as_mut().reset(Instant::now() + PIECE_TAKEN_WITHIN)
            }
        }
        match &mut stalls {
            Some(stalls) => stalls.as_mut().poll(context),
            None => Poll::Pending,
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::convert::Infallible;
    use std::sync::Arc;
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::StreamExt;
    use futures_util::stream::{iter, once};
    use http_body::{Body, Frame};
    use http_body_util::{BodyExt, Full, StreamBody};
    use tokio::sync::{Semaphore, oneshot};
    use tokio::time::timeout;

    use super::*;
    use crate::Pieces;

    const NEARLY: Duration = PIECE_TAKEN_WITHIN.saturating_sub(Duration::from_secs(1));

    /// Hands a body over as hyper does: a piece once the client takes all before it and its first byte.
    async fn handed_over<B>(body: B, window: Arc<Semaphore>, whole: oneshot::Sender<()>)
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin,
    {
        let mut body = Pieces::streamed(body);
        let mut owed = 0;
        while let Some(frame) = body.frame().await {
            let bytes = frame.unwrap().into_data().unwrap().len();
            window.acquire_many(owed + 1).await.unwrap().forget();
            owed = u32::try_from(bytes - 1).unwrap();
        }
        let _ = whole.send(());
    }

    fn run<B>(body: B, window: usize) -> (Arc<Semaphore>, oneshot::Receiver<()>)
    where
        B: Body<Data = Bytes, Error = Infallible> + Unpin + Send + 'static,
    {
        let window = Arc::new(Semaphore::new(window));
        let (whole, came) = oneshot::channel();
        Streams.execute(handed_over(body, Arc::clone(&window), whole));
        (window, came)
    }

    fn full(bytes: usize) -> Full<Bytes> {
        Full::new(vec![7; bytes].into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_dropped_unless_all_of_it_is_taken() {
        for (bytes, window) in [(9, 0), (9, 1), (9, 8), (40_000, 0), (40_000, 39_999)] {
            let (_window, came) = run(full(bytes), window);
            let came = timeout(Duration::from_secs(3600), came).await;
            assert!(came.unwrap().is_err(), "{bytes} bytes, {window} taken");
        }
        let (_window, came) = run(full(40_000), 40_000);
        came.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_taken_now_and_then_is_kept() {
        let (window, came) = run(full(160_000), 0);
        for _ in 0..10 {
            sleep(NEARLY).await;
            window.add_permits(16_384);
        }
        came.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_has_nothing_to_give_is_kept() {
        let give = |bytes: usize| Ok(Frame::data(Bytes::from(vec![7; bytes])));
        let later = once(async move {
            sleep(Duration::from_secs(3600)).await;
            give(5)
        });
        let silent = StreamBody::new(Box::pin(iter([give(5)]).chain(later)));
        let (_window, came) = run(silent, 10);
        came.await.unwrap();
    }
}
