//! One connection: how it is made, and that it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, TcpConfig, UnresponsiveConfig,
};
use fred::types::{Builder, ConnectHandle};
use futures_util::future::{Either, poll_immediate, select};
use tokio::task::AbortHandle;

/// The most commands that wait for one connection.
const WAITING_MAX: usize = 4_096;

/// How clients are made.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) config: Config,
    pub(crate) timeout: Duration,
    pub(crate) connections: usize,
}

/// A client, until its connection ends.
pub(crate) struct Running {
    pub(crate) client: Client,
    end: AbortHandle,
    /// The task ends a moment after it was told to.
    is_ended: AtomicBool,
}

/// fred's task would outlive its client, with the connection.
impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    pub(crate) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        self.end.abort();
    }

    pub(crate) fn is_up(&self) -> bool {
        !self.is_ended.load(Ordering::Acquire)
            && !self.end.is_finished()
            && self.client.is_connected()
    }
}

/// Connects, or says why that can't be done.
pub(crate) async fn connect(recipe: &Recipe) -> Result<(Arc<Running>, ConnectHandle), Error> {
    let client = build(recipe)?;
    let waiting = client.clone();
    let mut connected = std::pin::pin!(waiting.wait_for_connect());
    // fred looks whether it is connected, and then listens for the one notice. Asked after `connect` alone it would miss a
    // connection that is made between the two, and wait without end.
    if let Some(Err(error)) = poll_immediate(connected.as_mut()).await {
        return Err(error);
    }
    let task = client.connect();
    let end = task.abort_handle();
    // From here on whoever stops waiting leaves no connection behind.
    let running = Arc::new(Running {
        client,
        end,
        is_ended: AtomicBool::new(false),
    });
    // A client that can't connect ends, whether or not its notice came in time.
    let task = match select(connected, task).await {
        Either::Left((connected, task)) => connected.map(|()| task)?,
        Either::Right((ended, _)) => return Err(ended?.err().unwrap_or_else(gone)),
    };
    Ok((running, task))
}

fn gone() -> Error {
    Error::new(ErrorKind::IO, "the connection ended at once")
}

fn build(recipe: &Recipe) -> Result<Client, Error> {
    let mut config = recipe.config.clone();
    config.fail_fast = true;
    // Below the time limit of calls, so that a server which accepts and never answers is asked anew soon.
    let setup = (recipe.timeout / 2).max(Duration::from_millis(100));
    // Without a policy for reconnecting: the connection ends with the client.
    Builder::from_config(config)
        .set_connection_config(ConnectionConfig {
            connection_timeout: setup,
            internal_command_timeout: setup,
            max_command_attempts: 1,
            max_redirections: 0,
            max_command_buffer_len: WAITING_MAX,
            unresponsive: UnresponsiveConfig {
                max_timeout: Some(recipe.timeout),
                interval: recipe.timeout / 4,
            },
            tcp: TcpConfig {
                nodelay: Some(true),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        })
        .set_performance_config(PerformanceConfig {
            default_command_timeout: recipe.timeout,
            ..PerformanceConfig::default()
        })
        .build()
}
