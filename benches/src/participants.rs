//! The runner's side of the stub: how it is to answer, and how often it was called.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use tokio::time::sleep;

use crate::calls::Calls;
use crate::lane::Lane;
use crate::process::{Process, Speaks, role};
use crate::server::POLL;
use crate::wire::Wire;

/// The running stub.
pub(crate) struct Participants {
    process: Process,
    lane: Lane,
}

impl Participants {
    pub(crate) async fn start(wire: Wire) -> Result<Self> {
        let process = Process::start(role(&["stub", "--wire", wire.name()])?, Speaks::One).await?;
        let lane = Lane::open(process.address, wire).await?;
        Ok(Self { process, lane })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// Answers the calls so far.
    pub(crate) async fn calls(&mut self) -> Result<Calls> {
        let (_, calls) = self.lane.get("/calls").await?;
        serde_json::from_slice(&calls).context("reading the stub's calls")
    }

    /// Lets every call be answered as not done yet.
    pub(crate) async fn are_busy(&mut self) -> Result<()> {
        self.order("/answer/202").await
    }

    /// Lets every call be answered as done.
    pub(crate) async fn are_free(&mut self) -> Result<()> {
        self.order("/answer/200").await
    }

    /// Waits until they were called that often, in all.
    ///
    /// # Errors
    /// It takes longer than that.
    pub(crate) async fn called(&mut self, times: u64, within: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let calls = self.calls().await?;
            if calls.all() >= times {
                return Ok(());
            }
            if begun.elapsed() > within {
                bail!(
                    "after {within:?} participants were called {} times, not {times}",
                    calls.all()
                );
            }
            sleep(POLL).await;
        }
    }

    async fn order(&mut self, path: &'static str) -> Result<()> {
        match self.lane.put(path).await? {
            StatusCode::OK => Ok(()),
            status => bail!("the stub answered {status}"),
        }
    }
}
