//! The program's main task: serve until a signal.

use std::io::{Write, stdout};

use anyhow::{Result, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use seata_config::Settings;

use crate::server::Server;
use crate::signals::Signals;

/// Serves until the first signal and stops in order; a second signal ends the process at once.
///
/// # Errors
/// The server can't start, or was not allowed to stop in order.
pub(crate) async fn serve(settings: &Settings, metrics: PrometheusHandle) -> Result<()> {
    let server = Server::start(settings, metrics).await?;
    for name in settings.unused() {
        tracing::warn!(
            name,
            store = settings.store.as_str(),
            "the address of another store is unused"
        );
    }
    let mut signals = Signals::listen()?;
    greet(settings, &server);
    let signal = signals.next().await;
    tracing::info!(
        signal,
        grace_secs = settings.grace_secs.as_secs_f64(),
        "stopping"
    );
    tokio::select! {
        stopped = server.stop() => stopped?,
        signal = signals.next() => {
            bail!("{signal} came a second time: what was open goes on at the next start");
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Tells a person what there is to know. Nobody may be reading.
fn greet(settings: &Settings, server: &Server) {
    let (address, grpc) = (server.address, server.grpc_address);
    let (store, place) = (settings.store.as_str(), &server.place);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        stdout(),
        "Seata Server {version}\n\
         \n  listens on   http://{address}\
         \n  and gRPC on  {grpc}\
         \n  keeps data   {place}\
         \n  try          curl http://{address}/health\
         \n  see a saga   seata-server demo\
         \n  stop         Ctrl-C or SIGTERM\n",
    );
    tracing::info!(version, %address, %grpc, store, place, "started");
}
