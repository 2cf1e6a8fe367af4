//! One server: put together, started, stopped.

use std::net::SocketAddr;
use std::path::absolute;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use metrics_exporter_prometheus::PrometheusHandle;
use seata_engine::{Config, Engine, SystemClock};
use seata_executor::{Executor, ExecutorConfig};
use seata_http::{Api, ApiConfig, ServeConfig, Stop, serve};
use seata_service::{Defaults, Limits, LocalEndpoints, Rules, Service};
use seata_store::Owner;
use seata_store_fjall::{FjallOptions, FjallStore};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{Settings, Store};
use crate::descriptors::{self, Shares};
use crate::{housekeeping, metrics};

/// A server that listens.
pub(crate) struct Server {
    /// Where.
    pub(crate) address: SocketAddr,
    api: Arc<Api>,
    engine: Engine,
    grace: Duration,
    stop: oneshot::Sender<()>,
    gone: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    // Ends what runs beside when it is dropped.
    _beside: JoinSet<()>,
}

impl Server {
    /// Takes the port, opens the store, goes on with what is open, and serves.
    ///
    /// # Errors
    /// The folder or the address can't be used.
    pub(crate) async fn start(settings: &Settings, metrics: PrometheusHandle) -> Result<Self> {
        let open_max = descriptors::raise();
        let shares = Shares::of(settings, open_max);
        shares.warn(settings, open_max);
        // First the port: where it is taken, no folder is made and no store is touched.
        let listener = listen(settings).await?;
        let address = listener.local_addr()?;
        let store = open_store(settings)?;
        let executor = Executor::new(ExecutorConfig {
            calls_in_flight_max: shares.calls_in_flight_max,
            calls_in_flight_per_destination_max: shares.calls_per_destination_max,
            ..ExecutorConfig::default()
        });
        let engine = Engine::start(
            Arc::new(store.clone()),
            Arc::new(executor),
            Arc::new(SystemClock),
            engine_config(settings),
        );
        let engine = engine.await.context("starting the engine")?;
        let mut beside = JoinSet::new();
        beside.spawn(metrics::keep_up(metrics.clone()));
        beside.spawn(housekeeping::watch_disk(store.clone(), engine.clone()));
        beside.spawn(housekeeping::purge(store, settings.retention_secs));
        let render = Arc::new(move || metrics.render());
        let service = Service::new(engine.clone(), rules(settings));
        let config = ApiConfig {
            version: env!("CARGO_PKG_VERSION"),
            cors_origins: settings.cors_origins.clone(),
        };
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
        Ok(Self {
            address,
            api,
            engine,
            grace: settings.grace_secs,
            stop,
            gone,
            serving,
            _beside: beside,
        })
    }

    /// Stops: takes nothing new, lets what is in progress end within the grace time, and hands over the rest.
    ///
    /// # Errors
    /// The HTTP server broke.
    pub(crate) async fn stop(self) -> Result<()> {
        self.api.stopping();
        // One that has ended already needs no word.
        let _ = self.stop.send(());
        self.engine.stop(self.grace).await;
        let _ = self.gone.send(());
        self.serving.await.context("stopping the HTTP server")
    }
}

/// The longest that what has ended is answered from memory.
const ENDED_KEPT_FOR_MAX: Duration = Duration::from_secs(60);

/// A write or sync that failed can't be repeated: what was acknowledged is only known from the files, so the process
/// ends and the next one reads them.
fn fatal(why: &str) {
    tracing::error!(
        why,
        "the store failed: the process ends; mend the disk, then start again"
    );
    std::process::exit(1);
}

fn open_store(settings: &Settings) -> Result<FjallStore> {
    let options = FjallOptions {
        disk_free_min_bytes: settings.disk_free_min_bytes,
        on_fatal: Box::new(fatal),
    };
    let folder = absolute(&settings.data_dir).context("finding the data folder")?;
    match settings.store {
        Store::Embedded => Ok(FjallStore::open(&folder, options)?),
    }
}

async fn listen(settings: &Settings) -> Result<TcpListener> {
    let address = SocketAddr::new(settings.bind, settings.http_port);
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "listening on {address}: choose another address or port (SEATA_BIND, SEATA_HTTP_PORT)"
        )
    })
}

fn engine_config(settings: &Settings) -> Config {
    Config {
        lease: settings.lease_secs,
        active_max: settings.active_max,
        active_bytes_max: settings.active_bytes_max,
        branches_max: settings.branches_max,
        ended_kept_for: settings.retention_secs.min(ENDED_KEPT_FOR_MAX),
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
        },
        local: LocalEndpoints::Refused,
    }
}
