//! Runs of the same load on the null coordinator and on the server, one after the other and round after round, so that whatever
//! else the machine does falls on all of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tokio::time::sleep;

use crate::backing::{Backing, Work};
use crate::figures::count;
use crate::loader::Loader;
use crate::order::{Answer, Saga, Submitted, Until};
use crate::participants::Participants;
use crate::process::{Process, role};
use crate::procfs;
use crate::server::{Meters, POLL, Server};
use crate::stub::Counts;

/// What may pass between the last answer to the load and the end of the last transaction.
const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// The load before the first measured run of each coordinator, in seconds.
const WARM_UP_SECS: f64 = 0.5;

/// Who is measured, and when it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coordinator {
    /// Answers when both participants have answered.
    Null,
    /// The server, answering when the transaction is accepted.
    AtOnce,
    /// The server, answering when the transaction has ended.
    AtTheEnd,
}

/// How much is measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    pub(crate) connections: Vec<usize>,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
}

/// What one run came to. All but the first four are per transaction.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) coordinator: Coordinator,
    pub(crate) connections: usize,
    pub(crate) transactions: u64,
    /// Answers 429.
    pub(crate) refused: u64,
    /// Ended transactions a second, from the first request to the end of the last transaction.
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) appends: f64,
    pub(crate) batches: f64,
    /// What was sent to the store's own server.
    pub(crate) commands: f64,
    /// The processor time of the store's own server.
    pub(crate) store_cpu_us: f64,
}

/// The processes of the runs.
pub(crate) struct Stage {
    participants: Participants,
    null: Process,
    server: Option<Server>,
    backing: Backing,
}

impl Stage {
    /// Starts the null coordinator and the participants.
    pub(crate) async fn set(server: Option<Server>, backing: Backing) -> Result<Self> {
        Ok(Self {
            backing,
            participants: Participants::start().await?,
            null: Process::start(role(&["null"])?).await?,
            server,
        })
    }

    /// Makes all runs of a plan.
    ///
    /// # Errors
    /// A transaction was lost or doubled, or a process ended.
    pub(crate) async fn runs(&mut self, plan: &Plan) -> Result<Vec<Run>> {
        let coordinators = match self.server {
            Some(_) => vec![
                Coordinator::Null,
                Coordinator::AtOnce,
                Coordinator::AtTheEnd,
            ],
            None => vec![Coordinator::Null],
        };
        let most = plan.connections.iter().copied().max().unwrap_or(1);
        for who in &coordinators {
            self.run(*who, most, WARM_UP_SECS).await?;
        }
        let mut runs = Vec::new();
        for _round in 0..plan.rounds {
            for connections in &plan.connections {
                for who in &coordinators {
                    runs.push(self.run(*who, *connections, plan.seconds).await?);
                }
            }
        }
        Ok(runs)
    }

    /// Answers the memory of the server as it is now.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        procfs::resident_bytes(self.server()?.process.pid()?)
    }

    async fn run(&mut self, who: Coordinator, connections: usize, seconds: f64) -> Result<Run> {
        let run = self.run_once(who, connections, seconds).await;
        run.with_context(|| format!("a run of {who:?} with {connections} connections failed"))
    }

    async fn run_once(
        &mut self,
        who: Coordinator,
        connections: usize,
        seconds: f64,
    ) -> Result<Run> {
        let mut load = Loader::start(connections)?;
        let target = self.target(who)?.address;
        let stub = self.participants.process.address;
        let saga = Saga::committing(stub, who.answer());
        let before = self.look(who).await?;
        let started = Instant::now();
        let until = Until::Seconds(seconds);
        let submitted = load.submit(target, saga, until).await?;
        let expected = who.calls(submitted.accepted);
        self.ended(who, &before, submitted.accepted).await?;
        let took = started.elapsed();
        let after = self.look(who).await?;
        who.judge(after.calls.since(before.calls), expected)?;
        match who {
            Coordinator::Null => {}
            Coordinator::AtOnce | Coordinator::AtTheEnd => {
                load.check(target, submitted.accepted).await?;
            }
        }
        Ok(Run::new(
            who,
            connections,
            &submitted,
            took,
            &before,
            &after,
        ))
    }

    fn target(&self, who: Coordinator) -> Result<&Process> {
        match who {
            Coordinator::Null => Ok(&self.null),
            Coordinator::AtOnce | Coordinator::AtTheEnd => Ok(&self.server()?.process),
        }
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("there is no server")
    }

    async fn look(&mut self, who: Coordinator) -> Result<Look> {
        Ok(Look {
            calls: self.participants.counts().await?,
            meters: self.meters(who).await?,
            cpu: procfs::cpu(self.target(who)?.pid()?)?,
            work: self.backing.work()?,
        })
    }

    async fn meters(&mut self, who: Coordinator) -> Result<Meters> {
        match (who, &mut self.server) {
            (Coordinator::AtOnce | Coordinator::AtTheEnd, Some(server)) => server.meters().await,
            (Coordinator::Null | Coordinator::AtOnce | Coordinator::AtTheEnd, _) => {
                Ok(Meters::default())
            }
        }
    }

    /// Waits first for the calls: asking the stub costs the server nothing.
    async fn ended(&mut self, who: Coordinator, before: &Look, accepted: u64) -> Result<()> {
        let expected = before.calls.and(who.calls(accepted));
        self.participants.called(expected, ENDED_WITHIN).await?;
        let Some(server) = self.server.as_mut().filter(|_| who != Coordinator::Null) else {
            return Ok(());
        };
        let expected = before.meters.committed + count(accepted);
        committed(server, expected, ENDED_WITHIN).await
    }
}

/// Waits until the server has counted that many committed transactions.
///
/// # Errors
/// It takes longer than that.
pub(crate) async fn committed(server: &mut Server, expected: f64, within: Duration) -> Result<()> {
    let begun = Instant::now();
    loop {
        let meters = server.meters().await?;
        if meters.committed >= expected {
            return Ok(());
        }
        if begun.elapsed() > within {
            bail!(
                "after {within:?} {} of {expected} are committed",
                meters.committed
            );
        }
        sleep(POLL).await;
    }
}

/// What can be seen of a coordinator at one instant.
struct Look {
    calls: Counts,
    meters: Meters,
    cpu: Duration,
    work: Work,
}

impl Coordinator {
    fn answer(self) -> Answer {
        match self {
            Self::Null | Self::AtOnce => Answer::AtOnce,
            Self::AtTheEnd => Answer::AtTheEnd,
        }
    }

    /// Answers how often the participants are called for so many transactions.
    fn calls(self, transactions: u64) -> Counts {
        let calls = transactions * 2;
        match self {
            Self::Null => Counts {
                other: calls,
                ..Counts::default()
            },
            Self::AtOnce | Self::AtTheEnd => Counts {
                action: calls,
                ..Counts::default()
            },
        }
    }

    fn judge(self, calls: Counts, expected: Counts) -> Result<()> {
        if calls != expected {
            bail!("transactions were lost or doubled: {calls:?} instead of {expected:?}");
        }
        Ok(())
    }
}

impl Run {
    /// Answers how many transactions it left in the server's store.
    pub(crate) fn stored(&self) -> u64 {
        match self.coordinator {
            Coordinator::Null => 0,
            Coordinator::AtOnce | Coordinator::AtTheEnd => self.transactions,
        }
    }

    fn new(
        coordinator: Coordinator,
        connections: usize,
        submitted: &Submitted,
        took: Duration,
        before: &Look,
        after: &Look,
    ) -> Self {
        let each = |sum: f64| sum / count(submitted.accepted.max(1));
        Self {
            coordinator,
            connections,
            transactions: submitted.accepted,
            refused: submitted.refused,
            rate: count(submitted.accepted) / took.as_secs_f64(),
            cpu_us: each((after.cpu - before.cpu).as_secs_f64() * 1e6),
            p50_us: f64::from(submitted.p50_us),
            p99_us: f64::from(submitted.p99_us),
            appends: each(after.meters.appends - before.meters.appends),
            batches: each(after.meters.batches - before.meters.batches),
            commands: each(after.work.commands - before.work.commands),
            store_cpu_us: each(
                (after.work.cpu.saturating_sub(before.work.cpu)).as_secs_f64() * 1e6,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_too_many_or_too_few_fails_the_run() {
        let who = Coordinator::AtOnce;
        let expected = who.calls(7);
        let calls = |action, compensation| Counts {
            action,
            compensation,
            other: 0,
        };
        assert!(who.judge(calls(14, 0), expected).is_ok());
        assert!(who.judge(calls(15, 0), expected).is_err());
        assert!(who.judge(calls(13, 0), expected).is_err());
        assert!(who.judge(calls(14, 1), expected).is_err());
    }
}
