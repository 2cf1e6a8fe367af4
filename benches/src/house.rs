//! A server on a store that was empty, its participants and a load, for what is submitted in several goes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::case::Shape;
use crate::coordinator::Coordinator;
use crate::figures::{count, median};
use crate::loader::Loader;
use crate::order::{Until, Work};
use crate::participants::Participants;
use crate::procfs;
use crate::run::Track;
use crate::running::Running;
use crate::wire::Wire;

/// What waits isn't looked at while it is measured.
const ASKED_EVERY_SECS: u32 = 24 * 60 * 60;

/// How long after the last of them was submitted all that wait are in the store alone.
const AT_REST_WITHIN: Duration = Duration::from_secs(60);

/// The load before what is measured, in seconds.
const WARM_UP_SECS: f64 = 1.0;

/// What new transactions came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Of each.
    pub(crate) cpu_us: f64,
    pub(crate) rate: f64,
}

/// All that takes part. The processes are killed when it is dropped.
pub(crate) struct House {
    participants: Participants,
    running: Running,
    connections: usize,
    /// What is submitted.
    shape: Shape,
    /// Of what ends.
    load: Loader,
    ended: u64,
    /// All that were made, of those that wait too.
    calls: u64,
}

impl House {
    /// Starts all on an empty store, and warms it up.
    pub(crate) async fn start(track: &Track, connections: usize, shape: Shape) -> Result<Self> {
        track.backing.wipe().context("emptying the store")?;
        let wire = Wire::Http;
        let who = Coordinator::Server;
        let mut house = Self {
            participants: Participants::start(wire).await?,
            running: Running::start(who, wire, &track.programs, &track.backing).await?,
            connections,
            shape,
            load: Loader::start(connections)?,
            ended: 0,
            calls: 0,
        };
        house.submit(Until::Seconds(WARM_UP_SECS)).await?;
        Ok(house)
    }

    fn work(&self, shape: Shape) -> Result<Work> {
        Ok(Work {
            who: Coordinator::Server,
            target: self.running.address(Wire::Http)?,
            stub: self.participants.address(),
            shape,
        })
    }

    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.running.process().pid()?)
    }

    /// Answers what the data takes on the disk, on an embedded store.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        self.running.disk_bytes()
    }

    /// Submits several times, and answers the medians.
    pub(crate) async fn rounds(&mut self, rounds: u32, until: Until) -> Result<Cost> {
        let mut costs = Vec::new();
        for _ in 0..rounds {
            costs.push(self.submit(until).await?);
        }
        Ok(Cost {
            cpu_us: median(costs.iter().map(|cost| cost.cpu_us)),
            rate: median(costs.iter().map(|cost| cost.rate)),
        })
    }

    /// Submits new ones, and waits for all ends.
    pub(crate) async fn submit(&mut self, until: Until) -> Result<Cost> {
        let pid = self.running.process().pid()?;
        let (before, started) = (procfs::cpu(pid)?, Instant::now());
        let work = self.work(self.shape)?;
        let submitted = self.load.submit(work, until).await?;
        self.ended += submitted.accepted;
        self.calls += submitted.calls.all();
        self.running
            .ended(self.ended, self.calls, &mut self.participants)
            .await?;
        let cpu = procfs::cpu(pid)?.saturating_sub(before);
        let each = |sum: f64| sum / count(submitted.accepted.max(1));
        Ok(Cost {
            cpu_us: each(cpu.as_secs_f64() * 1e6),
            rate: count(submitted.accepted) / started.elapsed().as_secs_f64(),
        })
    }

    /// Opens many, and waits until they wait in the store alone.
    pub(crate) async fn open(&mut self, transactions: u64) -> Result<()> {
        self.participants.are_busy().await?;
        let work = self.work(Shape {
            asked_every_secs: Some(ASKED_EVERY_SECS),
            ..self.shape
        })?;
        let mut load = Loader::start(self.connections)?;
        let submitted = load.submit(work, Until::Accepted(transactions)).await?;
        self.calls += submitted.calls.all();
        self.participants.called(self.calls, AT_REST_WITHIN).await?;
        self.running.at_rest(AT_REST_WITHIN).await?;
        self.participants.are_free().await
    }

    /// Looks at the stored state of all that ended, beside those that are open.
    pub(crate) async fn check(&mut self, open: u64) -> Result<()> {
        let target = self.running.address(Wire::Http)?;
        let checked = self.load.check(target, Coordinator::Server).await?;
        checked.judge_beside(open, self.ended)
    }

    /// Kills the server and starts it on what lies there; answers how long it took to be healthy.
    pub(crate) async fn start_again(self) -> Result<(Self, Duration)> {
        let (running, ready_after) = self.running.start_again().await?;
        Ok((Self { running, ..self }, ready_after))
    }

    /// Kills the server.
    pub(crate) async fn end(self) -> Result<()> {
        self.running.end().await
    }
}
