//! One server: put together, started, stopped.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::PrometheusHandle;
use seata_config::Settings;
use seata_engine::{Config, Engine, SystemClock};
use seata_executor::{Executor, ExecutorConfig};
use seata_grpc::Grpc;
use seata_http::{Api, ApiConfig, ServeConfig, Stop, serve};
use seata_service::{Defaults, Limits, LocalEndpoints, Rules, Service};
use seata_store::Owner;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::descriptors::{self, Shares};
use crate::{housekeeping, metrics, stores};

/// A server that listens.
pub(crate) struct Server {
    /// Where HTTP is.
    pub(crate) address: SocketAddr,
    /// Where gRPC is.
    pub(crate) grpc_address: SocketAddr,
    /// Where the store is, without passwords.
    pub(crate) place: String,
    api: Arc<Api>,
    engine: Engine,
    grace: Duration,
    stop: oneshot::Sender<()>,
    gone: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    grpc: Task,
    // Ends what runs beside when it is dropped.
    _beside: JoinSet<()>,
}

impl Server {
    /// Takes the ports, opens the store, goes on with what is open, and serves.
    ///
    /// # Errors
    /// A port is taken, or the store can't be used.
    pub(crate) async fn start(settings: &Settings, metrics: PrometheusHandle) -> Result<Self> {
        let open_max = descriptors::raise();
        let shares = Shares::of(settings, open_max);
        shares.tell(settings, open_max);
        // First the ports: where one is taken, no folder is made and no store is touched.
        let listener = listen(settings.bind, settings.http_port, "SEATA_HTTP_PORT").await?;
        let address = listener.local_addr()?;
        let grpc_listener = listen(settings.bind, settings.grpc_port, "SEATA_GRPC_PORT").await?;
        let grpc_address = grpc_listener.local_addr()?;
        let opened = stores::open(settings, shares.store_files_max).await?;
        let executor = Executor::new(ExecutorConfig {
            calls_in_flight_max: shares.calls_in_flight_max,
            calls_in_flight_per_destination_max: shares.calls_per_destination_max,
            ..ExecutorConfig::default()
        });
        let engine = Engine::start(
            opened.store,
            Arc::new(executor),
            Arc::new(SystemClock),
            engine_config(settings),
        );
        let engine = engine.await.context("starting the engine")?;
        let mut beside = JoinSet::new();
        beside.spawn(metrics::keep_up(metrics.clone()));
        if let Some(look) = opened.room {
            beside.spawn(housekeeping::watch_disk(look, engine.clone()));
        }
        let render = Arc::new(move || metrics.render());
        let service = Service::new(engine.clone(), rules(settings)).with_store(opened.facts);
        beside.spawn(housekeeping::watch_store(service.clone()));
        let config = ApiConfig {
            version: env!("CARGO_PKG_VERSION"),
            cors_origins: crate::origins(settings)?,
        };
        let grpc = Grpc::new(service.clone());
        let api = Api::new(service, config, render);
        let (stop, stopped) = oneshot::channel();
        let config = ServeConfig {
            connections_max: shares.connections_max,
            drain: settings.grace_secs,
        };
        let (gone, over) = oneshot::channel();
        // Senders that are gone mean the same as their word.
        let stops = Stop {
            asked: async {
                let _ = stopped.await;
            },
            gone: async {
                let _ = over.await;
            },
        };
        let serving = tokio::spawn(serve(listener, api.router(), config, stops));
        let config = seata_grpc::ServeConfig {
            connections_max: shares.grpc_connections_max,
            drain: settings.grace_secs,
        };
        Ok(Self {
            address,
            grpc_address,
            place: opened.place,
            api,
            engine,
            grace: settings.grace_secs,
            stop,
            gone,
            serving,
            grpc: Task::start(|stop| seata_grpc::serve(grpc_listener, grpc, config, stop)),
            _beside: beside,
        })
    }

    /// Stops: takes nothing new, lets what is in progress end within the grace time, and hands over the rest.
    ///
    /// # Errors
    /// The HTTP or the gRPC server broke.
    pub(crate) async fn stop(self) -> Result<()> {
        self.api.stopping();
        // One that has ended already needs no word.
        let _ = self.stop.send(());
        let grpc = self.grpc.stop();
        self.engine.stop(self.grace).await;
        let _ = self.gone.send(());
        self.serving.await.context("stopping the HTTP server")?;
        grpc.await.context("stopping the gRPC server")
    }
}

/// What serves until it is told to stop.
struct Task {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Task {
    fn start<F>(serve: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        // A sender that is gone means the same as its word.
        let stopped = Box::pin(async {
            let _ = stopped.await;
        });
        Self {
            stop,
            serving: tokio::spawn(serve(stopped)),
        }
    }

    fn stop(self) -> JoinHandle<()> {
        // One that has ended already needs no word.
        let _ = self.stop.send(());
        self.serving
    }
}

async fn listen(bind: IpAddr, port: u16, key: &str) -> Result<TcpListener> {
    let address = SocketAddr::new(bind, port);
    TcpListener::bind(address).await.with_context(|| {
        format!("listening on {address}: choose another address or port (SEATA_BIND, {key})")
    })
}

fn engine_config(settings: &Settings) -> Config {
    Config {
        lease: settings.lease_secs,
        active_max: settings.active_max,
        active_bytes_max: settings.active_bytes_max,
        branches_max: settings.branches_max,
        retention: settings.retention_secs,
        ..Config::new(Owner(uuid::Uuid::new_v4().as_u128()))
    }
}

fn rules(settings: &Settings) -> Rules {
    Rules {
        defaults: Defaults {
            request_timeout: settings.request_timeout_secs,
            retry_interval: settings.retry_interval_secs,
            retry_interval_max: settings.retry_interval_max_secs,
            max_attempts: settings.max_attempts,
            timeout_to_fail: settings.timeout_to_fail_secs,
            prepared_timeout: settings.prepared_timeout_secs,
            branch_parallelism: settings.branch_parallelism,
            attention_attempts: settings.attention_attempts,
        },
        limits: Limits {
            body_bytes_max: settings.body_bytes_max,
            payload_bytes_max: settings.payload_bytes_max,
            branches_max: settings.branches_max,
        },
        local: LocalEndpoints::Refused,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use metrics_exporter_prometheus::PrometheusBuilder;
    use seata_config::Given;
    use seata_proto::v1;
    use seata_proto::v1::transaction_service_client::TransactionServiceClient;
    use tonic::transport::Channel;

    use super::*;

    fn settings(folder: &tempfile::TempDir) -> Settings {
        let given = Given::defaults()
            .with("data_dir", folder.path().join("data").to_str().unwrap())
            .with("http_port", "0")
            .with("grpc_port", "0")
            .with("disk_free_min_bytes", "0");
        Settings::read(&given).unwrap()
    }

    #[tokio::test]
    async fn both_ports_serve_one_engine_and_whoever_follows_is_let_go_at_the_stop() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = PrometheusBuilder::new().build_recorder();
        let server = Server::start(&settings(&folder), recorder.handle()).await;
        let server = server.unwrap();
        let channel = Channel::from_shared(format!("http://{}", server.grpc_address));
        let channel = channel.unwrap().connect().await.unwrap();
        let mut client = TransactionServiceClient::new(channel);
        let begun = v1::StartGlobalRequest {
            gid: "g".to_owned(),
            transaction: None,
        };
        client.start_global(begun).await.unwrap();
        let follow = v1::WatchRequest {
            gid: "g".to_owned(),
            ..v1::WatchRequest::default()
        };
        let mut events = client.watch(follow).await.unwrap().into_inner();
        assert!(events.message().await.unwrap().is_some());
        let gid = seata_core::Gid::parse("g").unwrap();
        assert!(server.engine.get(&gid).await.is_ok());
        server.stop().await.unwrap();
        assert_eq!(events.message().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_grpc_port_that_is_taken_stops_the_start_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = settings(&folder);
        settings.grpc_port = taken.local_addr().unwrap().port();
        let recorder = PrometheusBuilder::new().build_recorder();
        let refused = Server::start(&settings, recorder.handle()).await.err();
        assert!(format!("{:#}", refused.unwrap()).contains("SEATA_GRPC_PORT"));
        assert!(!settings.data_dir.exists());
    }
}
