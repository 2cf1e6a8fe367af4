//! The runner's side of the stub: how it is to answer, and how often it was called.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use tokio::time::sleep;

use crate::lane::Lane;
use crate::process::{Process, role};
use crate::server::POLL;
use crate::stub::Counts;

/// The running stub.
pub(crate) struct Participants {
    pub(crate) process: Process,
    lane: Lane,
}

impl Participants {
    pub(crate) async fn start() -> Result<Self> {
        let process = Process::start(role(&["stub"])?).await?;
        let lane = Lane::open(process.address).await?;
        Ok(Self { process, lane })
    }

    /// Answers how often they were called so far.
    pub(crate) async fn counts(&mut self) -> Result<Counts> {
        let (_, counts) = self.lane.get("/counts").await?;
        serde_json::from_slice(&counts).context("reading the stub's counts")
    }

    /// Lets every call be answered as not done yet.
    pub(crate) async fn are_busy(&mut self) -> Result<()> {
        self.order("/answer/202").await
    }

    /// Lets every call be answered as done.
    pub(crate) async fn are_free(&mut self) -> Result<()> {
        self.order("/answer/200").await
    }

    /// Waits until they were called as often as expected.
    ///
    /// # Errors
    /// It takes longer than that.
    pub(crate) async fn called(&mut self, expected: Counts, within: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let counts = self.counts().await?;
            if counts.all() >= expected.all() {
                return Ok(());
            }
            if begun.elapsed() > within {
                bail!("after {within:?} the participants were called {counts:?}, not {expected:?}");
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
