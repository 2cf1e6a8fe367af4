//! A peer that falls silent while somebody connects holds up no other call, and no socket.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;
use seata_core::Outcome;
use seata_executor::{Executor, ExecutorConfig, TlsRoots};
use tokio::io::{AsyncReadExt, copy, sink};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::calls::{call, made, reason, within};
use crate::grpc::replied;
use crate::tls::Secured;

/// How long connecting may take here: more than it takes on any machine. It passes by order.
const LIMIT: Duration = Duration::from_secs(20);

/// A deadline for what takes no time unless it takes for ever.
const SOON: Duration = Duration::from_secs(10);

const HOUR: Duration = Duration::from_secs(3_600);

/// Both protocols that TLS callers may be offered.
const ANY: &[&[u8]] = &[b"h2", b"http/1.1"];

type Making<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// A participant that never answers the handshake on some of its connections.
struct Hesitant {
    secured: Secured,
    /// One for each such connection, once the caller waits for the handshake, and for each request.
    reached: Arc<Semaphore>,
    /// One for each such connection that its caller closed.
    left: Arc<Semaphore>,
    /// One closes such a connection from here.
    hang_up: Arc<Semaphore>,
    /// Requests are answered while there is one.
    open: Arc<Semaphore>,
}

impl Hesitant {
    /// Connections count from 1.
    async fn on(silent: fn(usize) -> bool, protocols: &[&[u8]]) -> Self {
        let none = || Arc::new(Semaphore::new(0));
        let (reached, left, hang_up) = (none(), none(), none());
        let open = Arc::new(Semaphore::new(1));
        let noted = (
            Arc::clone(&reached),
            Arc::clone(&left),
            Arc::clone(&hang_up),
        );
        let greet = move |mut stream: TcpStream, n| {
            let (reached, left, hang_up) = noted.clone();
            async move {
                if !silent(n) {
                    return Some(stream);
                }
                let _ = stream.read_u8().await;
                reached.add_permits(1);
                let mut rest = sink();
                tokio::select! {
                    // Ends with the connection.
                    _ = copy(&mut stream, &mut rest) => left.add_permits(1),
                    hung_up = hang_up.acquire() => hung_up.unwrap().forget(),
                }
                None
            }
        };
        let noted = (Arc::clone(&reached), Arc::clone(&open));
        let answer = move |_| {
            let (reached, open) = noted.clone();
            async move {
                reached.add_permits(1);
                drop(open.acquire().await);
                replied(&[("grpc-status", "0")])
            }
        };
        Self {
            secured: Secured::greeting(protocols, greet, answer).await,
            reached,
            left,
            hang_up,
            open,
        }
    }

    fn url(&self, scheme: &str) -> String {
        let port = self.secured.participant.port();
        format!("{scheme}://localhost:{port}/bank.v1.Account/Debit")
    }

    fn caller(&self) -> Executor {
        Executor::new(ExecutorConfig {
            connect_timeout: LIMIT,
            tls_roots: TlsRoots::Der(vec![self.secured.certificate.clone()]),
            ..ExecutorConfig::default()
        })
    }

    fn connections(&self) -> usize {
        self.secured.participant.notes.connections()
    }

    /// Makes a call go on until it or its handshake has come.
    async fn reached_by(&self, call: &mut Making<'_>) {
        tokio::select! {
            outcome = call => panic!("{outcome:?}"),
            reached = self.reached.acquire() => reached.unwrap().forget(),
        }
    }

    /// Begins so many calls over gRPC. The first has got as far as the handshake, and the others wait for its connection.
    async fn calls_by<'a, const N: usize>(&self, executor: &'a Executor) -> [Making<'a>; N] {
        let url = self.url("grpcs");
        let mut calls =
            [(); N].map(|()| -> Making { Box::pin(made(executor, within(&url, HOUR))) });
        let [first, others @ ..] = &mut calls[..] else {
            panic!("no call");
        };
        self.reached_by(first).await;
        for other in others {
            assert!(poll!(other).is_pending());
        }
        calls
    }

    /// Waits until the caller has closed a connection without a handshake.
    async fn left(&self) {
        let left = timeout(SOON, self.left.acquire()).await;
        left.unwrap().unwrap().forget();
    }
}

/// Lets the limit of connecting pass.
async fn pass_limit() {
    tokio::time::pause();
    tokio::time::advance(LIMIT).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_limit_of_connecting_and_the_next_call_is_served() {
    for scheme in ["https", "grpcs"] {
        let hesitant = Hesitant::on(|n| n == 1, ANY).await;
        let (executor, url) = (hesitant.caller(), hesitant.url(scheme));
        let limit = LIMIT + Duration::from_secs(5);
        let mut hung: Making = Box::pin(made(&executor, within(&url, limit)));
        hesitant.reached_by(&mut hung).await;
        pass_limit().await;
        assert_eq!(reason(&hung.await), "no connection in time", "{scheme}");
        let next = made(&executor, call(&url)).await;
        assert_eq!(next, Outcome::Success, "{scheme}");
        hesitant.left().await;
    }
}

/// A call takes a connection that becomes idle while it connects, and hyper-util goes on connecting.
#[tokio::test]
async fn a_connection_that_no_call_waits_for_any_more_ends_with_the_limit_too() {
    let hesitant = Hesitant::on(|n| n == 2, &[]).await;
    let (executor, url) = (hesitant.caller(), hesitant.url("https"));
    let closed = hesitant.open.acquire().await;
    let mut first: Making = Box::pin(made(&executor, call(&url)));
    hesitant.reached_by(&mut first).await;
    let mut second: Making = Box::pin(made(&executor, call(&url)));
    hesitant.reached_by(&mut second).await;
    drop(closed);
    assert_eq!(first.await, Outcome::Success);
    assert_eq!(second.await, Outcome::Success);
    assert_eq!(hesitant.connections(), 2);
    pass_limit().await;
    hesitant.left().await;
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_others_no_longer_than_the_limit_of_connecting() {
    let hesitant = Hesitant::on(|n| n == 1, ANY).await;
    let executor = hesitant.caller();
    let [hung, other] = hesitant.calls_by(&executor).await;
    pass_limit().await;
    let (hung, other) = tokio::join!(hung, other);
    assert_eq!(reason(&hung), "no connection in time");
    assert_eq!(other, Outcome::Success);
}

#[tokio::test]
async fn a_connection_that_fails_is_the_failure_of_the_call_that_made_it_only() {
    let hesitant = Hesitant::on(|n| n == 1, ANY).await;
    let executor = hesitant.caller();
    let calls = hesitant.calls_by::<3>(&executor).await;
    hesitant.hang_up.add_permits(1);
    let outcomes = join_all(calls).await;
    assert_eq!(outcomes[0].as_str(), "unknown");
    assert_eq!(outcomes[1..], [const { Outcome::Success }; 2]);
    assert_eq!(hesitant.connections(), 2);
}

#[tokio::test]
async fn calls_that_are_given_up_while_they_connect_cost_the_others_nothing() {
    let hesitant = Hesitant::on(|n| n <= 2, ANY).await;
    let executor = hesitant.caller();
    let [first, mut second, mut third] = hesitant.calls_by(&executor).await;
    drop(first);
    hesitant.reached_by(&mut second).await;
    // From now on it waits for the second one's connection.
    assert!(poll!(&mut third).is_pending());
    drop(second);
    assert_eq!(third.await, Outcome::Success);
    assert_eq!(hesitant.connections(), 3);
}

/// Else each failure would wake them all to let one of them fail.
#[tokio::test]
async fn a_dead_peer_is_not_tried_by_each_of_the_calls_that_wait_for_it() {
    let hesitant = Hesitant::on(|_| true, ANY).await;
    let executor = hesitant.caller();
    let calls = hesitant.calls_by::<10>(&executor).await;
    hesitant.hang_up.add_permits(10);
    let outcomes = join_all(calls).await;
    for outcome in &outcomes {
        assert_eq!(outcome.as_str(), "unknown");
    }
    assert!(reason(&outcomes[9]).contains("neither could other calls"));
    assert_eq!(hesitant.connections(), 2);
}
