//! Accepts connections within bounds, serves HTTP/1.1 and HTTP/2 without TLS, and stops within a bounded time: until it is
//! gone, whoever comes is told that it stops.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use metrics::gauge;
use seata_service::{ErrorCode, Problem};
use seata_serving::{Pieces, Stalling, Streams, accepted};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::Service;

use crate::body::discard;
use crate::places::{Admission, Places, Wishes};
use crate::problem::respond;

/// How long a client may take for the head of a request; also how long a connection may idle.
const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// How long a connection beyond the bound is kept that is only told so.
const TURNED_AWAY_WITHIN: Duration = Duration::from_secs(5);

/// The most requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub struct ServeConfig {
    /// The most connections at once. A client beyond it is told 429, and another one's connection is closed behind its next
    /// answer.
    pub connections_max: usize,
    /// How long requests in progress may take to finish once the server stops.
    pub drain: Duration,
}

/// When a server stops.
#[derive(Debug)]
pub struct Stop<A, G> {
    /// From then on nothing new is begun.
    pub asked: A,
    /// Until then whoever comes is told so; requests in progress may take longer, up to the drain.
    pub gone: G,
}

/// Serves until it is asked to stop; then lets requests in progress finish within the drain, and tells whoever comes in
/// that time that it stops: a balancer reads it at `/readyz`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: ServeConfig,
    stop: Stop<impl Future<Output = ()>, impl Future<Output = ()>>,
) {
    let places = Places::new(config.connections_max);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut asked = pin!(stop.asked);
    loop {
        tokio::select! {
            biased;
            () = &mut asked => break,
            Some(_) = connections.join_next() => {}
            accepted = next(&listener, &places, places.take()) => if let Some((stream, admission)) = accepted {
                let (watcher, wishes) = (graceful.watcher(), places.wishes());
                let connection = Connection { router: router.clone(), watcher, admission, wishes };
                connections.spawn(connection.run(stream));
            },
        }
    }
    let drained = async {
        let ended = tokio::time::timeout(config.drain, graceful.shutdown());
        tokio::join!(ended, stop.gone).0
    };
    let mut drained = pin!(drained);
    let (nobody, mut late) = (GracefulShutdown::new(), JoinSet::new());
    let drained = loop {
        tokio::select! {
            biased;
            drained = &mut drained => break drained,
            Some(_) = connections.join_next() => {}
            Some(_) = late.join_next() => {}
            accepted = next(&listener, &places, places.take_late()) => if let Some((stream, admission)) = accepted {
                let (watcher, wishes) = (nobody.watcher(), places.wishes());
                let connection = Connection { router: router.clone(), watcher, admission, wishes };
                late.spawn(connection.run(stream));
            },
        }
    };
    drop(listener);
    if drained.is_err() {
        let left = connections.len();
        tracing::warn!(left, "stopped while requests were still in progress");
    }
    connections.shutdown().await;
}

async fn next(
    listener: &TcpListener,
    places: &Places,
    place: impl Future<Output = Option<Admission>>,
) -> Option<(TcpStream, Admission)> {
    let admission = place.await?;
    let stream = accepted(listener).await;
    Some((stream, places.promote(admission)))
}

struct Connection {
    router: Router,
    watcher: Watcher,
    admission: Admission,
    wishes: Wishes,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        let open = gauge!("seata_http_connections");
        open.increment(1.0);
        match self.admission {
            Admission::Served(place) => {
                let (router, wishes) = (self.router, self.wishes);
                served(stream, self.watcher, move |request| {
                    answered(router.clone(), request, wishes.clone())
                })
                .await;
                drop(place);
            }
            Admission::TurnedAway(place) => {
                tell(stream, self.watcher, self.router, full).await;
                drop(place);
            }
            Admission::Late(place) => {
                tell(stream, self.watcher, self.router, stopping).await;
                drop(place);
            }
        }
        open.decrement(1.0);
    }
}

/// Answers a request, and closes the connection behind that if somebody else waits for its place.
async fn answered(
    mut router: Router,
    request: Request<Incoming>,
    wishes: Wishes,
) -> Result<Response, Infallible> {
    // A connection of HTTP/2 has other requests on it.
    let may_close = request.version() < Version::HTTP_2;
    let mut response = router.call(request).await?;
    if may_close && wishes.take() {
        close(&mut response);
    }
    Ok(response)
}

fn close(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
}

/// Serves one connection to its end. A client that sends no whole head at first is let go.
async fn served<F, A>(stream: TcpStream, watcher: Watcher, answer: F)
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Result<Response, Infallible>> + Send + 'static,
{
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        asked.store(true, Ordering::Relaxed);
        let in_pieces = match request.version() {
            Version::HTTP_2 => Pieces::streamed,
            _ => Pieces::whole,
        };
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await?.map(in_pieces)) }
    });
    let builder = builder();
    let connection = builder.serve_connection(TokioIo::new(Stalling::new(stream)), service);
    let mut connection = pin!(watcher.watch(connection));
    // What goes wrong on a connection is the client's to see.
    let first = tokio::time::timeout(HEAD_WITHIN, &mut connection).await;
    if first.is_err() && asked.load(Ordering::Relaxed) {
        let _ = connection.await;
    }
}

fn builder() -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(HEAD_WITHIN));
    builder
}

/// Serves a connection only to tell why nothing is done on it.
async fn tell(stream: TcpStream, watcher: Watcher, router: Router, why: fn() -> Problem) {
    let telling = served(stream, watcher, move |request| {
        turned_away(router.clone(), request, why)
    });
    // A client that asks nothing in that time misses its answer.
    let _ = tokio::time::timeout(TURNED_AWAY_WITHIN, telling).await;
}

fn full() -> Problem {
    let text = "all connections are taken: try again later";
    Problem::new(ErrorCode::Overloaded, text)
}

fn stopping() -> Problem {
    let text = "the server is stopping: send the same request again to another instance, or later";
    Problem::new(ErrorCode::Stopping, text)
}

async fn turned_away(
    mut router: Router,
    request: Request<Incoming>,
    why: fn() -> Problem,
) -> Result<Response, Infallible> {
    let mut response = match request.uri().path() {
        "/health" | "/livez" | "/readyz" | "/metrics" => {
            router.call(request.map(Body::new)).await?
        }
        _ => {
            let (parts, body) = request.into_parts();
            discard(&parts.headers, body).await;
            respond(&why())
        }
    };
    close(&mut response);
    Ok(response)
}
