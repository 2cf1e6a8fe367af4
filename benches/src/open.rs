//! Many open transactions: what they cost in memory and on disk, and how long a server that was killed takes to end them all.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::calls::Calls;
use crate::case::{BASE, Shape};
use crate::coordinator::Coordinator;
use crate::figures::count;
use crate::loader::Loader;
use crate::order::{Submitted, Until, Work};
use crate::participants::Participants;
use crate::procfs;
use crate::report::{Figure, mebibytes};
use crate::server::Home;
use crate::wire::Wire;

const CONNECTIONS: usize = 64;

const RECOVERED_WITHIN: Duration = Duration::from_secs(600);

/// How long even a few of them wait: longer than anything stays in memory that waits.
const WAITS_SECS: u64 = 10;

/// How many more make them wait a second longer: they are submitted faster than that.
const SUBMITTED_A_SECOND: u64 = 2_000;

/// How many, and how long a participant that is busy isn't asked again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Many {
    transactions: u64,
    asked_every_secs: u32,
}

impl Many {
    /// Lets so many wait just as long as it takes to submit them all.
    pub(crate) fn new(transactions: u64) -> Self {
        let secs = WAITS_SECS + transactions / SUBMITTED_A_SECOND;
        Self {
            transactions,
            asked_every_secs: u32::try_from(secs).unwrap_or(u32::MAX),
        }
    }

    fn asked_every(self) -> Duration {
        Duration::from_secs(self.asked_every_secs.into())
    }
}

/// Opens them, kills the server, starts it when all are due, and waits until all have ended.
///
/// # Errors
/// One was lost, or called more often than it had to be.
pub(crate) async fn measure(binary: &Path, within: &Path, many: Many) -> Result<Vec<Figure>> {
    let home = Home::new(binary, within)?;
    let mut participants = Participants::start(Wire::Http).await?;
    let mut load = Loader::start(CONNECTIONS)?;
    participants.are_busy().await?;
    let (submitted, mut figures) = open(&home, &mut participants, &mut load, many).await?;
    sleep(many.asked_every() + Duration::from_secs(1)).await;
    participants.are_free().await?;
    figures.extend(recover(&home, &mut participants, &mut load, &submitted).await?);
    Ok(figures)
}

async fn open(
    home: &Home,
    participants: &mut Participants,
    load: &mut Loader,
    many: Many,
) -> Result<(Submitted, Vec<Figure>)> {
    let mut server = home.start().await?;
    let pid = server.process.pid()?;
    let before = procfs::resident_bytes(pid)?;
    let work = Work {
        who: Coordinator::Server,
        target: server.process.address,
        stub: participants.address(),
        shape: Shape {
            asked_every_secs: Some(many.asked_every_secs),
            ..BASE
        },
    };
    let submitted = load
        .submit(work, Until::Accepted(many.transactions))
        .await?;
    participants
        .called(submitted.calls.all(), many.asked_every())
        .await?;
    server.at_rest(many.asked_every()).await?;
    let (resident, disk) = (procfs::resident_bytes(pid)?, home.bytes()?);
    server.process.kill().await?;
    let each = count(resident.saturating_sub(before)) / count(many.transactions);
    let open = many.transactions;
    let figures = vec![
        Figure::new(
            format!("resident memory, {open} open"),
            mebibytes(resident),
            "MiB",
        ),
        Figure::new("growth for each open transaction", each, "bytes"),
        Figure::new(format!("disk, {open} open"), mebibytes(disk), "MiB"),
    ];
    Ok((submitted, figures))
}

async fn recover(
    home: &Home,
    participants: &mut Participants,
    load: &mut Loader,
    submitted: &Submitted,
) -> Result<Vec<Figure>> {
    let transactions = submitted.accepted;
    let mut expected = participants.calls().await?;
    expected.add_all(&submitted.calls);
    let started = Instant::now();
    let mut server = home.start().await?;
    server.ended(count(transactions), RECOVERED_WITHIN).await?;
    let took = started.elapsed();
    let peak = procfs::resident_bytes_max(server.process.pid()?)?;
    judge(&participants.calls().await?, &expected)?;
    let target = server.process.address;
    let checked = load.check(target, Coordinator::Server).await?;
    checked.judge(transactions)?;
    let ready_ms = server.ready_after.as_secs_f64() * 1e3;
    let rate = count(transactions) / took.as_secs_f64();
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

/// Each participant must have been called once more.
fn judge(calls: &Calls, expected: &Calls) -> Result<()> {
    if calls != expected {
        bail!("transactions were lost or doubled by recovery: {calls} instead of {expected}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_wait_for_seconds_and_many_as_long_as_submitting_takes() {
        assert_eq!(Many::new(10).asked_every(), Duration::from_secs(10));
        assert_eq!(Many::new(100_000).asked_every(), Duration::from_secs(60));
    }
}
