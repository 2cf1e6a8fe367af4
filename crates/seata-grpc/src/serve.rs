//! Puts the services together, accepts connections within bounds, and stops within a bounded time.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use http::{Request, Response};
use seata_proto::DESCRIPTORS;
use seata_proto::v1::transaction_service_server::TransactionServiceServer;
use seata_service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Server;
use tower::Layer;

use crate::connection::Connection;
use crate::health;
use crate::layer::Observe;
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

/// How long to wait after an accept failed, as it does when descriptors run out.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// The gRPC API over one service.
#[derive(Clone)]
pub struct Grpc {
    service: Service,
    observe: Observe,
}

/// How connections are served.
#[derive(Debug, Clone, Copy)]
pub struct ServeConfig {
    /// The most connections at once. A client beyond it waits for a place.
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
    let (stopped, draining) = oneshot::channel();
    let server = Server::builder()
        .concurrency_limit_per_connection(STREAMS_MAX as usize)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_WITHIN))
        .layer(grpc.observe.clone())
        .add_routes(grpc.routes());
    let serving = server.serve_with_incoming_shutdown(incoming(listener, config), async {
        stop.await;
        // Nobody waits any more: the server is gone.
        let _ = stopped.send(());
    });
    let drained = async {
        // A sender that is gone has nothing to drain.
        if draining.await.is_ok() {
            tokio::time::sleep(config.drain).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        served = serving => if let Err(error) = served {
            tracing::error!(%error, "the gRPC server broke");
        },
        () = drained => tracing::warn!("stopped while gRPC requests were still in progress"),
    }
}

fn incoming(
    listener: TcpListener,
    config: ServeConfig,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(config.connections_max));
    unfold((listener, places), async |(listener, places)| {
        // The semaphore is never closed.
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        let stream = accepted(&listener).await;
        Some((Ok(Connection::new(stream, place)), (listener, places)))
    })
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it the answer is only a little later.
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "no gRPC connection could be accepted; trying again");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}
