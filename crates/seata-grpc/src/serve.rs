//! Puts the services together, accepts connections within bounds, and stops within a bounded time.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use seata_proto::DESCRIPTORS;
use seata_proto::v1::transaction_service_server::TransactionServiceServer;
use seata_service::Service;
use seata_serving::{Pieces, Streams, accepted};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::body::Body;
use tonic::service::Routes;
use tower::{Layer, Service as _};

use crate::connection::Connection;
use crate::health;
use crate::layer::{Observe, Observed};
use crate::meters::Meters;
use crate::room::Room;
use crate::transactions::Transactions;

/// Describes what is served, in either version of the reflection protocol. The descriptions are compiled in, and a test
/// reads them.
macro_rules! reflection {
    ($build:ident) => {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .$build()
            .expect("invariant: what is compiled in is a description")
    };
}

/// How long a connection may be silent before it is asked whether it lives, and how long it may take to say so.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(20);

/// The most requests at once on one connection.
const STREAMS_MAX: u32 = 256;

/// How long a client may keep its place if all are taken. One that has nothing to ask answers pings, and would keep it for
/// ever; one that goes on asking comes again.
const TURN: Duration = Duration::from_secs(60);

/// Of all connections one in so many is told to leave at a time, and has so long before another one is: else all that came
/// at once would go and come again at once.
const LEAVING_SHARE: usize = 16;
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

/// The gRPC API over one service.
#[derive(Clone)]
pub struct Grpc {
    service: Service,
    observe: Observe,
}

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub struct ServeConfig {
    /// The most connections at once. A client beyond it waits for a place; while there is none, those who have had theirs
    /// for a minute are told to leave it, and may come again.
    pub connections_max: usize,
    /// How long requests in progress may take to finish once the server stops.
    pub drain: Duration,
}

impl Grpc {
    /// Makes the API.
    #[must_use]
    pub fn new(service: Service) -> Self {
        let message_bytes_max = service.rules().limits.body_bytes_max;
        let observe = Observe {
            meters: Arc::new(Meters::new()),
            room: Room::new(message_bytes_max),
            message_bytes_max,
        };
        Self { service, observe }
    }

    /// Makes the service of all methods: for a program that serves it by its own means, or asks it without a socket.
    #[must_use]
    pub fn service(
        &self,
    ) -> impl tower::Service<
        Request<Body>,
        Response = Response<Body>,
        Error = Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + 'static {
        self.observe.layer(self.routes())
    }

    fn routes(&self) -> Routes {
        let service = self.service.clone();
        let transactions = TransactionServiceServer::new(Transactions { service })
            .max_decoding_message_size(self.observe.message_bytes_max);
        Routes::new(transactions)
            .add_service(health::server(self.service.clone()))
            .add_service(reflection!(build_v1))
            .add_service(reflection!(build_v1alpha))
    }
}

/// Serves until `stop` resolves; then takes no more connections and lets requests in progress finish within the drain.
pub async fn serve(
    listener: TcpListener,
    grpc: Grpc,
    config: ServeConfig,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let places = Places::new(config.connections_max);
    let (running, stopped) = watch::channel(());
    let routes = grpc.observe.layer(grpc.routes().prepare());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            client = next(&listener, &places) => {
                let leaves = leaves(stopped.clone(), places.clone());
                connections.spawn(served(client, routes.clone(), leaves));
            }
        }
    }
    drop(listener);
    drop((running, stopped));
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(config.drain, ended).await.is_err() {
        tracing::warn!("stopped while gRPC requests were still in progress");
    }
    connections.shutdown().await;
}

/// Takes the next client once there is a place for it. Nobody else takes places, so that one that is free stays so until
/// the client comes.
async fn next(listener: &TcpListener, places: &Places) -> Connection {
    const FREE: &str = "invariant: nobody else takes or closes the places";
    drop(places.free.acquire().await.expect(FREE));
    let stream = accepted(listener).await;
    let place = Arc::clone(&places.free).try_acquire_owned();
    Connection::new(stream, place.expect(FREE))
}

/// Places for connections.
#[derive(Clone)]
struct Places {
    free: Arc<Semaphore>,
    /// What is left of the right to be told to leave.
    leaving: Arc<Semaphore>,
}

impl Places {
    fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            leaving: Arc::new(Semaphore::new((count / LEAVING_SHARE).max(1))),
        }
    }

    fn are_taken(&self) -> bool {
        self.free.available_permits() == 0
    }
}

/// Waits until a client is to leave: the server stops, or others may wait for its place. Answers the right of those who
/// make room to do so.
async fn leaves(mut stopped: watch::Receiver<()>, places: Places) -> Option<OwnedSemaphorePermit> {
    let had_its_turn = async {
        loop {
            sleep(TURN).await;
            if places.are_taken() {
                let leaving = Arc::clone(&places.leaving).acquire_owned().await;
                // Those who left before may have made room for all who wait.
                if places.are_taken() {
                    return leaving.ok();
                }
            }
        }
    };
    tokio::select! {
        biased;
        // Nothing is ever sent: it ends with its sender.
        _ = stopped.changed() => None,
        leaving = had_its_turn => leaving,
    }
}

/// Serves a connection to its end. A client that is to leave is told so, and what it has asked until then is answered.
async fn served(
    client: Connection,
    routes: Observed<Routes>,
    leaves: impl Future<Output = Option<OwnedSemaphorePermit>>,
) {
    // Behind the connection: its place is free when another one is told to leave.
    let leaving;
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = routes.clone().call(request.map(Body::new));
        async move { Ok::<_, Infallible>(answering.await?.map(Pieces::streamed)) }
    });
    let connection = builder().serve_connection(TokioIo::new(client), service);
    let mut connection = pin!(connection);
    // What goes wrong on a connection is the client's to see.
    tokio::select! {
        biased;
        _ = &mut connection => return,
        told = leaves => leaving = told,
    }
    connection.as_mut().graceful_shutdown();
    if timeout(LEAVES_WITHIN, &mut connection).await.is_err() {
        // A watch may go on for long: others are told to leave instead.
        drop(leaving);
        let _ = connection.await;
    }
}

fn builder() -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(Streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(Some(KEEPALIVE_INTERVAL))
        .keep_alive_timeout(KEEPALIVE_WITHIN);
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn of_a_full_house_one_in_so_many_is_told_to_leave_at_a_time() {
        let places = Places::new(2 * LEAVING_SHARE);
        let count = u32::try_from(2 * LEAVING_SHARE).unwrap();
        let _all = Arc::clone(&places.free).acquire_many_owned(count).await;
        let (_running, stopped) = watch::channel(());
        let mut told = JoinSet::new();
        for _ in 0..count {
            told.spawn(leaves(stopped.clone(), places.clone()));
        }
        let mut leaving = Vec::new();
        let long = Duration::from_secs(600);
        while let Ok(Some(next)) = timeout(long, told.join_next()).await {
            leaving.push(next.unwrap());
        }
        assert_eq!(leaving.len(), 2);
        leaving.pop();
        leaving.push(
            timeout(long, told.join_next())
                .await
                .unwrap()
                .unwrap()
                .unwrap(),
        );
        assert!(timeout(long, told.join_next()).await.is_err());
    }
}
