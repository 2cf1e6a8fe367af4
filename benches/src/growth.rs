//! What a new transaction costs beside many others, which wait or have ended, over what it costs on an empty store, and what these take.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use crate::case::{BASE, Gids, Shape};
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
    /// How many others there are.
    pub(crate) others: u64,
    /// How all are named.
    pub(crate) gids: Gids,
    /// How often new ones are measured beside them, and on an empty store.
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

/// Measures on an empty store, opens many, and measures again.
///
/// # Errors
/// A transaction was lost or doubled, or a process ended.
pub(crate) async fn beside_open(track: &Track, growth: Growth) -> Result<Vec<Figure>> {
    let (mut house, empty) = House::start(track, growth).await?;
    let resident = house.resident_bytes()?;
    house.open(growth.others).await?;
    let grown = house.resident_bytes()?.saturating_sub(resident);
    let beside = house.rounds(growth).await?;
    house.check(growth.others).await?;
    let resident = house.resident_bytes()?;
    house.running.end().await?;
    let what = format!("{} that wait", growth.others);
    let mut figures = costs(&what, empty, beside);
    figures.extend(memory(&what, growth, grown, resident));
    Ok(figures)
}

/// Measures on an empty store, ends many, measures again, and starts the server once more behind a kill.
///
/// # Errors
/// A transaction was lost or doubled, or a process ended.
pub(crate) async fn beside_ended(track: &Track, growth: Growth) -> Result<Vec<Figure>> {
    let (mut house, empty) = House::start(track, growth).await?;
    let (resident, disk) = (house.resident_bytes()?, house.running.disk_bytes()?);
    house.submit(Until::Accepted(growth.others)).await?;
    let grown = house.resident_bytes()?.saturating_sub(resident);
    let written = house.running.disk_bytes()?.saturating_sub(disk);
    let beside = house.rounds(growth).await?;
    let resident = house.resident_bytes()?;
    let (running, ready_after) = house.running.start_again().await?;
    house.running = running;
    house.check(0).await?;
    house.running.end().await?;
    let what = format!("{} that have ended", growth.others);
    let mut figures = costs(&what, empty, beside);
    figures.extend(memory(&what, growth, grown, resident));
    figures.extend([
        Figure::new(
            format!("disk for each of {what}"),
            count(written) / count(growth.others),
            "bytes",
        ),
        Figure::new(
            format!("start after kill -9 on {what}, until healthy"),
            ready_after.as_secs_f64() * 1e3,
            "ms",
        ),
    ]);
    Ok(figures)
}

fn costs(others: &str, empty: Cost, beside: Cost) -> Vec<Figure> {
    let cpu = beside.cpu_us / empty.cpu_us;
    let rate = beside.rate / empty.rate;
    vec![
        Figure::new(format!("a new one beside {others}: CPU"), cpu, "× empty")
            .aim(Aim::AtMost(1.3)),
        Figure::new(format!("a new one beside {others}: rate"), rate, "× empty"),
    ]
}

fn memory(others: &str, growth: Growth, grown: u64, resident: u64) -> [Figure; 2] {
    let each = count(grown) / count(growth.others);
    [
        Figure::new(format!("growth for each of {others}"), each, "bytes"),
        Figure::new(
            format!("resident memory beside {others}"),
            mebibytes(resident),
            "MiB",
        ),
    ]
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
    /// What is submitted.
    shape: Shape,
    /// Of what ends.
    load: Loader,
    ended: u64,
    /// All that were made, of those that wait too.
    calls: u64,
}

impl House {
    /// Starts all on an empty store; answers what new ones cost on it.
    async fn start(track: &Track, growth: Growth) -> Result<(Self, Cost)> {
        track.backing.wipe().context("emptying the store")?;
        let wire = Wire::Http;
        let who = Coordinator::Server;
        let mut house = Self {
            participants: Participants::start(wire).await?,
            running: Running::start(who, wire, &track.programs, &track.backing).await?,
            shape: Shape {
                gids: growth.gids,
                ..BASE
            },
            load: Loader::start(CONNECTIONS)?,
            ended: 0,
            calls: 0,
        };
        house.submit(Until::Seconds(WARM_UP_SECS)).await?;
        let empty = house.rounds(growth).await?;
        Ok((house, empty))
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
            costs.push(self.submit(Until::Seconds(growth.seconds)).await?);
        }
        Ok(Cost {
            cpu_us: median(costs.iter().map(|cost| cost.cpu_us)),
            rate: median(costs.iter().map(|cost| cost.rate)),
        })
    }

    /// Submits new ones, and waits for all ends.
    async fn submit(&mut self, until: Until) -> Result<Cost> {
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
    async fn open(&mut self, transactions: u64) -> Result<()> {
        self.participants.are_busy().await?;
        let work = self.work(Shape {
            asked_every_secs: Some(ASKED_EVERY_SECS),
            ..self.shape
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
