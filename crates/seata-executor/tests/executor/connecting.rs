//! A peer that falls silent while somebody connects holds up no other call, and no socket.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

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
    /// Requests are answered while there is one.
    open: Arc<Semaphore>,
}

impl Hesitant {
    /// Connections count from 1.
    async fn on(silent: fn(usize) -> bool, protocols: &[&[u8]]) -> Self {
        let none = || Arc::new(Semaphore::new(0));
        let (reached, left, open) = (none(), none(), Arc::new(Semaphore::new(1)));
        let noted = (Arc::clone(&reached), Arc::clone(&left));
        let greet = move |mut stream: TcpStream, n| {
            let (reached, left) = noted.clone();
            async move {
                if !silent(n) {
                    return Some(stream);
                }
                let _ = stream.read_u8().await;
                reached.add_permits(1);
                // Ends with the connection.
                let _ = copy(&mut stream, &mut sink()).await;
                left.add_permits(1);
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
