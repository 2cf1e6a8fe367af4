//! One connection over plain HTTP/1.1, and one exchange on it at a time.
//!
//! hyper speaks on it. The call that uses the connection polls it, and no task of its own: nothing is handed from task to
//! task, and a call that is given up closes its connection at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::unconstrained;

use crate::answer::Said;
use crate::{answer, silence};

/// The most bytes of the head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A connection on which nothing is under way.
pub(crate) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    /// Writes and reads while it is polled. None: it has ended.
    driver: Option<Box<Driver>>,
}

/// No answer came.
pub(crate) struct Silence {
    /// For a person.
    pub(crate) why: String,
    /// The request, if no byte of it was given to the system. Else whether the peer got it is unknown.
    pub(crate) unsent: Option<Request<Full<Bytes>>>,
}

impl Connection {
    /// Begins on a fresh stream.
    ///
    /// # Errors
    /// Says for a person why not.
    pub(crate) async fn begin(stream: TokioIo<TcpStream>) -> Result<Self, String> {
        let begun = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            .handshake(stream)
            .await;
        let (requests, driver) = begun.map_err(|error| silence::of_call(&error))?;
        Ok(Self {
            requests,
            driver: Some(Box::new(driver)),
        })
    }

    /// Says whether a request may be sent: the last answer was whole, and the peer has neither closed the connection
    /// nor said what nobody asked for.
    pub(crate) fn is_idle(&mut self) -> bool {
        // Unconstrained: a task that has used up its budget would not see that the peer has closed it.
        let looking = unconstrained(poll_fn(|context| {
            advance(&mut self.driver, context);
            Poll::Ready(())
        }));
        // Nobody needs to be woken: whoever takes it looks again.
        let _ = pin!(looking).poll(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.requests.is_ready()
    }

    /// Sends a request, notes the status of its answer as soon as it comes, and reads the rest, up to so many bytes.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        answer_bytes_max: usize,
        said: &mut Option<Said>,
    ) -> Result<(), Silence> {
        let answered = self.requests.try_send_request(request);
        let exchange = async {
            let answer = answered.await.map_err(|mut refused| Silence {
                unsent: refused.take_message(),
                why: silence::of_call(refused.error()),
            })?;
            answer::read(answer, answer_bytes_max, said).await;
            Ok(())
        };
        driven(&mut self.driver, exchange).await
    }
}

/// Does what only the driver moves on: looked at whenever that may have moved, it needs nobody to wake it. Else each call
/// would be woken by itself. It is unconstrained, since a task that has used up its budget would refuse it what has come,
/// and wake nobody.
async fn driven<T>(driver: &mut Option<Box<Driver>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(unconstrained(work));
    poll_fn(|context| {
        advance(driver, context);
        work.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    })
    .await
}

fn advance(driver: &mut Option<Box<Driver>>, context: &mut Context<'_>) {
    let ended = driver
        .as_mut()
        .is_some_and(|driver| Pin::new(driver).poll(context).is_ready());
    if ended {
        // What it failed with, the exchange is told.
        *driver = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::coop;

    use super::*;

    async fn connected() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (peer, _) = listener.accept().await.unwrap();
        let connection = Connection::begin(TokioIo::new(stream.unwrap())).await;
        (connection.ok().unwrap(), peer)
    }

    /// Leaves the task so much of its budget.
    fn spend_but(left: usize, context: &mut Context<'_>) {
        // As much as tokio gives a task for one poll.
        for _ in left..128 {
            assert!(pin!(coop::consume_budget()).poll(context).is_ready());
        }
    }

    /// Many calls of one transaction share the budget of their task.
    #[tokio::test]
    async fn an_answer_that_has_come_is_taken_however_little_the_task_may_do() {
        for left in 0..6 {
            let (mut connection, mut peer) = connected().await;
            let mut said = None;
            let request = Request::post("/")
                .header("host", "x")
                .body(Full::default())
                .unwrap();
            let mut exchange = Box::pin(connection.exchange(request, 100, &mut said));
            assert!(futures_util::poll!(exchange.as_mut()).is_pending());
            assert!(peer.read(&mut [0; 1024]).await.unwrap() > 0);
            let answer = b"HTTP/1.1 409 Conflict\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            peer.write_all(answer).await.unwrap();
            tokio::task::yield_now().await;
            let mut spent = false;
            let poor = poll_fn(|context| {
                if !std::mem::replace(&mut spent, true) {
                    spend_but(left, context);
                }
                exchange.as_mut().poll(context)
            });
            tokio::select! {
                // First: at the limit the answer would be found after all.
                biased;
                () = tokio::time::sleep(Duration::from_secs(20)) => panic!("not with {left} left"),
                answered = poor => assert!(answered.is_ok()),
            }
        }
    }

    #[tokio::test]
    async fn a_connection_that_its_peer_closed_is_not_idle_however_little_the_task_may_do() {
        for left in 0..6 {
            let (mut connection, peer) = connected().await;
            assert!(connection.is_idle());
            drop(peer);
            tokio::task::yield_now().await;
            let is_idle = poll_fn(|context| {
                spend_but(left, context);
                Poll::Ready(connection.is_idle())
            });
            assert!(!is_idle.await, "with {left} left");
        }
    }
}
