//! The server on a folder of its own, as its users start it.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::sleep;

use crate::backing::Backing;
use crate::lane::Lane;
use crate::metrics;
use crate::process::{Process, Speaks, bound};
use crate::scratch;
use crate::wire::Wire;

/// The pause between two questions to a process whose state is awaited.
pub(crate) const POLL: Duration = Duration::from_millis(5);

const HEALTHY_WITHIN: Duration = Duration::from_secs(60);

/// A folder for one server's data, on the disk of the build folder: a file system in memory would make every sync free.
pub(crate) struct Home {
    binary: PathBuf,
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Home {
    /// Makes an empty folder.
    pub(crate) fn new(binary: &Path, within: &Path) -> Result<Self> {
        Ok(Self {
            binary: binary.to_owned(),
            folder: scratch::folder(within)?,
            variables: Vec::new(),
        })
    }

    /// Lets the server use this store.
    pub(crate) fn on(self, backing: &Backing) -> Self {
        Self {
            variables: backing.variables(),
            ..self
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Answers what the data takes on the disk.
    pub(crate) fn bytes(&self) -> Result<u64> {
        bytes(&self.data()).context("measuring the data")
    }

    /// Starts a server on what lies in the folder.
    ///
    /// # Errors
    /// It isn't healthy in time.
    pub(crate) async fn start(&self) -> Result<Server> {
        self.start_as(bound(&self.binary)).await
    }

    /// Starts it below a tracer, which is given the server's path as its last argument, and becomes it.
    pub(crate) async fn start_below(&self, mut tracer: Command) -> Result<Server> {
        tracer.arg(&self.binary);
        self.start_as(tracer).await
    }

    async fn start_as(&self, mut command: Command) -> Result<Server> {
        // Nothing of the caller's own configuration gets through.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEATA_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.path())
            .env("SEATA_DATA_DIR", self.data())
            .env("SEATA_HTTP_PORT", "0")
            .env("SEATA_GRPC_PORT", "0")
            .env("SEATA_LOG", "warn")
            .envs(self.variables.iter().cloned());
        let started = Instant::now();
        let process = Process::start(command, Speaks::Both).await;
        let process = process.context("the server")?;
        let mut server = Server {
            lane: Lane::open(process.address, Wire::Http).await?,
            process,
            ready_after: Duration::ZERO,
        };
        server.healthy().await?;
        server.ready_after = started.elapsed();
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// From its start as a process to its first healthy answer.
    pub(crate) ready_after: Duration,
    lane: Lane,
}

impl Server {
    /// Reads its metrics.
    pub(crate) async fn meters(&mut self) -> Result<Meters> {
        let (status, text) = self.lane.get("/metrics").await?;
        if status != StatusCode::OK {
            bail!("/metrics answered {status}");
        }
        Meters::read(&String::from_utf8_lossy(&text))
    }

    /// Answers where it speaks that wire.
    ///
    /// # Errors
    /// It doesn't.
    pub(crate) fn address(&self, wire: Wire) -> Result<SocketAddr> {
        match wire {
            Wire::Http => Ok(self.process.address),
            Wire::Grpc => self.process.grpc.context("the server speaks no gRPC"),
        }
    }

    /// Waits until it has counted that many transactions that ended.
    ///
    /// # Errors
    /// It takes longer than that.
    pub(crate) async fn ended(&mut self, expected: f64, within: Duration) -> Result<()> {
        self.becomes(|meters| meters.ended >= expected, within)
            .await
            .with_context(|| format!("waiting for the end of {expected} transactions"))
    }

    /// Waits until what is open waits in the store alone.
    ///
    /// # Errors
    /// It takes longer than that.
    pub(crate) async fn at_rest(&mut self, within: Duration) -> Result<()> {
        self.becomes(|meters| meters.active <= 0.0, within)
            .await
            .context("waiting until nothing that waits is in memory")
    }

    async fn becomes(&mut self, is_so: impl Fn(&Meters) -> bool, within: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let meters = self.meters().await?;
            if is_so(&meters) {
                return Ok(());
            }
            if begun.elapsed() > within {
                bail!("not after {within:?}: {meters:?}");
            }
            sleep(POLL).await;
        }
    }

    async fn healthy(&mut self) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < HEALTHY_WITHIN {
            if self.lane.get("/health").await?.0 == StatusCode::OK {
                return Ok(());
            }
            sleep(POLL).await;
        }
        bail!("the server isn't healthy after {HEALTHY_WITHIN:?}")
    }
}

/// What the server has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Meters {
    /// Transactions that committed or aborted: both are durable when they are counted.
    pub(crate) ended: f64,
    pub(crate) active: f64,
    pub(crate) appends: f64,
    pub(crate) batches: f64,
}

impl Meters {
    fn read(text: &str) -> Result<Self> {
        let must = |name: &str, labels: &str| {
            metrics::sum(text, name, labels).with_context(|| format!("/metrics has no {name}"))
        };
        // What nothing was recorded in may be left out.
        let may = |name: &str, labels: &str| metrics::sum(text, name, labels).unwrap_or(0.0);
        Ok(Self {
            ended: must("seata_transactions_total", "status=\"COMMITTED\"")?
                + may("seata_transactions_total", "status=\"ABORTED\""),
            active: must("seata_active_transactions", "")?,
            appends: may("seata_store_append_batch_size_sum", ""),
            batches: may("seata_store_append_batch_size_count", ""),
        })
    }
}

/// Counts blocks, not lengths: a log that was made long in advance holds holes.
fn bytes(path: &Path) -> std::io::Result<u64> {
    let metadata = std::fs::symlink_metadata(path)?;
    let mut sum = metadata.blocks() * 512;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            sum += bytes(&entry?.path())?;
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_the_counters_is_not_measured() {
        let text = "\
seata_transactions_total{mode=\"saga\",status=\"COMMITTED\"} 3
seata_transactions_total{mode=\"saga\",status=\"ABORTED\"} 2
seata_active_transactions 1
";
        let meters = Meters::read(text).ok();
        let expected = Meters {
            ended: 5.0,
            active: 1.0,
            ..Meters::default()
        };
        assert_eq!(meters, Some(expected));
        assert!(Meters::read("seata_active_transactions 1\n").is_err());
    }
}
