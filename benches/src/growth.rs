//! What a new transaction costs beside many that wait, over what it costs on an empty store, and the memory that they take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::case::{BASE, Shape};
use crate::coordinator::Coordinator;
use crate::figures::{count, median};
use crate::loader::Loader;
use crate::order::{Until, Work};
use crate::participants::Participants;
use crate::procfs;
use crate::report::{Aim, Figure, mebibytes};
use crate::run::Track;
use crate::running::Running;
use crate::server::POLL;
use crate::wire::Wire;

const CONNECTIONS: usize = 64;

/// What waits isn't looked at while it is measured.
const ASKED_EVERY_SECS: u32 = 24 * 60 * 60;

/// How long after the last of them was submitted all that wait are in the store alone.
const AT_REST_WITHIN: Duration = Duration::from_secs(60);

/// The load before what is measured, in seconds.
const WARM_UP_SECS: f64 = 1.0;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Growth {
    /// How many wait.
    pub(crate) open: u64,
    /// How often new ones are measured beside them, and on an empty store.
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

/// Measures on an empty store, opens many, and measures again.
///
/// # Errors
/// A transaction was lost or doubled, or a process ended.
pub(crate) async fn measure(track: &Track, growth: Growth) -> Result<Vec<Figure>> {
    track.backing.wipe().context("emptying the store")?;
    let mut house = House::start(track).await?;
    house.new_ones(WARM_UP_SECS).await?;
    let empty = house.rounds(growth).await?;
    let resident = house.resident_bytes()?;
    house.open(growth.open).await?;
    let grown = count(house.resident_bytes()?.saturating_sub(resident));
    let beside = house.rounds(growth).await?;
    house.check(growth.open).await?;
    let resident = mebibytes(house.resident_bytes()?);
    house.running.end().await?;
    let open = growth.open;
    let ratio = beside.cpu_us / empty.cpu_us;
    Ok(vec![
        Figure::new(format!("a new one beside {open}: CPU"), ratio, "× empty")
            .aim(Aim::AtMost(1.3)),
        Figure::new(
            format!("a new one beside {open}: rate"),
            beside.rate / empty.rate,
            "× empty",
        ),
        Figure::new(
            format!("growth for each of {open} that wait"),
            grown / count(open),
            "bytes",
        ),
        Figure::new(format!("resident memory beside {open}"), resident, "MiB"),
    ])
}

/// What new transactions came to.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu_us: f64,
    rate: f64,
}

struct House {
    participants: Participants,
    running: Running,
    /// Of what ends.
    load: Loader,
    ended: u64,
    /// All that were made, of those that wait too.
    calls: u64,
}

impl House {
    async fn start(track: &Track) -> Result<Self> {
        let wire = Wire::Http;
        let who = Coordinator::Server;
        Ok(Self {
            participants: Participants::start(wire).await?,
            running: Running::start(who, wire, &track.programs, &track.backing).await?,
            load: Loader::start(CONNECTIONS)?,
            ended: 0,
            calls: 0,
        })
    }

    fn work(&self, shape: Shape) -> Result<Work> {
        Ok(Work {
            who: Coordinator::Server,
            target: self.running.address(Wire::Http)?,
            stub: self.participants.address(),
            shape,
        })
    }

    fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.running.process().pid()?)
    }

    async fn rounds(&mut self, growth: Growth) -> Result<Cost> {
        let mut costs = Vec::new();
        for _ in 0..growth.rounds {
            costs.push(self.new_ones(growth.seconds).await?);
        }
        Ok(Cost {
            cpu_us: median(costs.iter().map(|cost| cost.cpu_us)),
            rate: median(costs.iter().map(|cost| cost.rate)),
        })
    }

    /// Submits for some seconds, and waits for all ends.
    async fn new_ones(&mut self, seconds: f64) -> Result<Cost> {
        let pid = self.running.process().pid()?;
        let (before, started) = (procfs::cpu(pid)?, Instant::now());
        let work = self.work(BASE)?;
        let submitted = self.load.submit(work, Until::Seconds(seconds)).await?;
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
    async fn open(&mut self, transactions: u64) -> Result<()> {
        self.participants.are_busy().await?;
        let work = self.work(Shape {
            asked_every_secs: Some(ASKED_EVERY_SECS),
            ..BASE
        })?;
        let mut load = Loader::start(CONNECTIONS)?;
        let submitted = load.submit(work, Until::Accepted(transactions)).await?;
        self.calls += submitted.calls.all();
        self.participants.called(self.calls, AT_REST_WITHIN).await?;
        let begun = Instant::now();
        while self.running.meters().await?.active > 0.0 {
            if begun.elapsed() > AT_REST_WITHIN {
                bail!("after {AT_REST_WITHIN:?} transactions that wait are still in memory");
            }
            sleep(POLL).await;
        }
        self.participants.are_free().await
    }

    /// Looks at the stored state of all that ended, beside those that are open.
    async fn check(&mut self, open: u64) -> Result<()> {
        let target = self.running.address(Wire::Http)?;
        let checked = self.load.check(target, Coordinator::Server).await?;
        checked.judge_beside(open, self.ended)
    }
}
