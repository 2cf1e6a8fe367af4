//! Many open transactions: what they cost in memory and on disk, and how long a server that was killed takes to end them all.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::figures::count;
use crate::loader::Loader;
use crate::order::{Saga, Until};
use crate::participants::Participants;
use crate::procfs;
use crate::report::{Figure, mebibytes};
use crate::server::{Home, POLL, Server};
use crate::stub::Counts;
use crate::throughput::committed;

const CONNECTIONS: usize = 64;

const RECOVERED_WITHIN: Duration = Duration::from_secs(600);

/// How many, and how long a participant that is busy isn't asked again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Many {
    pub(crate) transactions: u64,
    pub(crate) asked_every: Duration,
}

/// Opens them, kills the server, starts it when all are due, and waits until all have ended.
///
/// # Errors
/// One was lost, or called more often than it had to be.
pub(crate) async fn measure(binary: &Path, within: &Path, many: Many) -> Result<Vec<Figure>> {
    let home = Home::new(binary, within)?;
    let mut participants = Participants::start().await?;
    let mut load = Loader::start(CONNECTIONS)?;
    participants.are_busy().await?;
    let mut figures = open(&home, &mut participants, &mut load, many).await?;
    sleep(many.asked_every + Duration::from_secs(1)).await;
    participants.are_free().await?;
    figures.extend(recover(&home, &mut participants, &mut load, many).await?);
    Ok(figures)
}

async fn open(
    home: &Home,
    participants: &mut Participants,
    load: &mut Loader,
    many: Many,
) -> Result<Vec<Figure>> {
    let mut server = home.start().await?;
    let pid = server.process.pid()?;
    let before = procfs::resident_bytes(pid)?;
    let stub = participants.process.address;
    let saga = Saga::asked_every(stub, many.asked_every.as_secs_f64());
    let until = Until::Accepted(many.transactions);
    load.submit(server.process.address, saga, until).await?;
    let called = Counts {
        action: many.transactions * 2,
        ..Counts::default()
    };
    participants.called(called, many.asked_every).await?;
    at_rest(&mut server, many.asked_every).await?;
    let (resident, disk) = (procfs::resident_bytes(pid)?, home.bytes()?);
    server.process.kill().await?;
    let each = count(resident.saturating_sub(before)) / count(many.transactions);
    let open = many.transactions;
    Ok(vec![
        Figure::new(
            format!("resident memory, {open} open"),
            mebibytes(resident),
            "MiB",
        ),
        Figure::new("growth for each open transaction", each, "bytes"),
        Figure::new(format!("disk, {open} open"), mebibytes(disk), "MiB"),
    ])
}

/// Waits until what is open waits in the store alone.
async fn at_rest(server: &mut Server, within: Duration) -> Result<()> {
    let begun = Instant::now();
    while server.meters().await?.active > 0.0 {
        if begun.elapsed() > within {
            bail!("after {within:?} transactions that wait are still in memory");
        }
        sleep(POLL).await;
    }
    Ok(())
}

async fn recover(
    home: &Home,
    participants: &mut Participants,
    load: &mut Loader,
    many: Many,
) -> Result<Vec<Figure>> {
    let before = participants.counts().await?;
    let started = Instant::now();
    let mut server = home.start().await?;
    committed(&mut server, count(many.transactions), RECOVERED_WITHIN).await?;
    let took = started.elapsed();
    let peak = procfs::resident_bytes_max(server.process.pid()?)?;
    let calls = participants.counts().await?.since(before);
    if calls.action != many.transactions * 2 || calls.compensation > 0 {
        bail!("transactions were lost or doubled by recovery: {calls:?}");
    }
    load.check(server.process.address, many.transactions)
        .await?;
    let ready_ms = server.ready_after.as_secs_f64() * 1e3;
    let rate = count(many.transactions) / took.as_secs_f64();
    Ok(vec![
        Figure::new("start after kill -9 until healthy", ready_ms, "ms"),
        Figure::new(
            "recovery, from the start to the last end",
            took.as_secs_f64(),
            "s",
        ),
        Figure::new("recovery, ended transactions", rate, "a second"),
        Figure::new(
            "resident memory, most during recovery",
            mebibytes(peak),
            "MiB",
        ),
    ])
}
