//! A coordinator within this process, on a free port, as `seata-server` would be beside it. To use one that runs
//! already, set `SEATA_URL`, say to `http://127.0.0.1:36789`.

use std::future::{pending, ready};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use seata_engine::{Config, Engine, SystemClock};
use seata_executor::{Executor, ExecutorConfig};
use seata_http::{Api, ApiConfig, ServeConfig, Stop, serve};
use seata_service::{Defaults, Limits, LocalEndpoints, Rules, Service};
use seata_store::Owner;
use seata_store_fjall::{FjallOptions, FjallStore};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

const GRACE: Duration = Duration::from_secs(5);

/// A coordinator to talk to over HTTP.
pub struct Coordinator {
    /// Where.
    pub url: String,
    /// Where its gRPC port is; none if only the other is known.
    pub grpc_url: Option<String>,
    own: Option<Own>,
}

/// One that runs in this process.
struct Own {
    api: Arc<Api>,
    engine: Engine,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    over_grpc: JoinHandle<()>,
}

impl Coordinator {
    /// Takes the one that `SEATA_URL` names, or starts one whose data are in this folder.
    ///
    /// # Errors
    /// The folder can't be used, or there is no free port.
    pub async fn find_or_start(folder: &Path) -> Result<Self> {
        match std::env::var("SEATA_URL") {
            Ok(url) => Ok(Self {
                url,
                grpc_url: None,
                own: None,
            }),
            Err(_) => Self::start(folder).await,
        }
    }

    /// Starts one whose data are in this folder.
    ///
    /// # Errors
    /// The folder can't be used, or there is no free port.
    pub async fn start(folder: &Path) -> Result<Self> {
        let engine = engine(folder, Executor::new(ExecutorConfig::default())).await?;
        let rules = Rules {
            defaults: Defaults::default(),
            limits: Limits::default(),
            local: LocalEndpoints::Refused,
        };
        let service = Service::new(engine.clone(), rules);
        let (over_grpc, grpc_url) = over_grpc(&service).await?;
        let api = Api::new(service, ApiConfig::default(), Arc::new(String::new));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel::<()>();
        let config = ServeConfig {
            connections_max: 100,
            drain: GRACE,
        };
        let stops = Stop {
            asked: async {
                // A sender that is gone means the same.
                let _ = stopped.await;
            },
            // Whoever comes during the stop finds nobody.
            gone: ready(()),
        };
        let serving = tokio::spawn(serve(listener, api.router(), config, stops));
        let own = Some(Own {
            api,
            engine,
            stop,
            serving,
            over_grpc,
        });
        Ok(Self {
            url,
            grpc_url: Some(grpc_url),
            own,
        })
    }

    /// Stops the one that was started here: what is open is on disk, and the next start goes on with it.
    ///
    /// # Errors
    /// The HTTP server broke.
    pub async fn stop(self) -> Result<()> {
        if let Some(own) = self.own {
            own.api.stopping();
            // One that has ended already needs no word.
            let _ = own.stop.send(());
            own.engine.stop(GRACE).await;
            own.serving.await?;
            own.over_grpc.abort();
        }
        Ok(())
    }
}

/// Serves the same over gRPC, and answers where, until the task is aborted.
async fn over_grpc(service: &Service) -> Result<(JoinHandle<()>, String)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let config = seata_grpc::ServeConfig {
        connections_max: 100,
        drain: GRACE,
    };
    let grpc = seata_grpc::Grpc::new(service.clone());
    let serving = tokio::spawn(async move {
        // It can only end with the task.
        let _ = seata_grpc::serve(listener, grpc, config, pending()).await;
    });
    Ok((serving, url))
}

/// Starts an engine whose data are in this folder, and which calls participants so.
///
/// # Errors
/// The folder can't be used.
pub async fn engine(folder: &Path, executor: Executor) -> Result<Engine> {
    // A disk that failed can't be written again: what is on it is known only by reading it anew.
    let options = FjallOptions::new(|_| std::process::abort());
    let store = FjallStore::open(folder, options)?;
    let owner = Owner(Uuid::new_v4().as_u128());
    let engine = Engine::start(
        Arc::new(store),
        Arc::new(executor),
        Arc::new(SystemClock),
        Config::new(owner),
    );
    Ok(engine.await?)
}
