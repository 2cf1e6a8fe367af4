//! One run: fresh processes on an empty store, a load, and what it came to. A transaction that is lost or doubled fails it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::backing::{Backing, Work as StoreWork};
use crate::calls::Calls;
use crate::case::Case;
use crate::coordinator::Coordinator;
use crate::figures::count;
use crate::flushes::flushes;
use crate::loader::Loader;
use crate::order::{Submitted, Until, Work};
use crate::participants::Participants;
use crate::procfs;
use crate::report::mebibytes;
use crate::running::{Programs, Running};
use crate::server::Meters;
use crate::wire::Wire;

/// The load before what is measured, in seconds: connections are made, and pages are faulted in.
const WARM_UP_SECS: f64 = 0.3;

/// What one run came to. What is not said to be otherwise is per transaction.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) case: String,
    pub(crate) coordinator: Coordinator,
    pub(crate) round: u32,
    pub(crate) connections: usize,
    /// In all.
    pub(crate) transactions: u64,
    /// Answers 429, in all.
    pub(crate) refused: u64,
    /// Transactions of a peer that did not end as they must have, or whose participants were called too often or too rarely.
    pub(crate) lost: u64,
    /// What was wrong with one of them.
    pub(crate) complaint: Option<String>,
    /// Ended transactions a second, from the first request to the end of the last transaction.
    pub(crate) rate: f64,
    pub(crate) cpu_us: f64,
    /// Of one request.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Of the process, when all have ended.
    pub(crate) resident_mib: f64,
    pub(crate) appends: f64,
    pub(crate) batches: f64,
    /// What disks were asked to make durable.
    pub(crate) flushes: f64,
    /// What was sent to the store's own server.
    pub(crate) commands: f64,
    /// The processor time of the store's own server.
    pub(crate) store_cpu_us: f64,
}

/// Where runs are made.
pub(crate) struct Track {
    pub(crate) programs: Programs,
    pub(crate) backing: Backing,
}

impl Track {
    /// Makes a run.
    ///
    /// # Errors
    /// A transaction was lost or doubled, or a process ended.
    pub(crate) async fn run(
        &self,
        who: Coordinator,
        case: &Case,
        round: u32,
        seconds: f64,
    ) -> Result<Run> {
        let run = self.run_once(who, case, round, seconds).await;
        run.with_context(|| format!("a run of {}, case {}, failed", who.name(), case.name))
    }

    async fn run_once(
        &self,
        who: Coordinator,
        case: &Case,
        round: u32,
        seconds: f64,
    ) -> Result<Run> {
        self.backing.wipe().context("emptying the store")?;
        let mut cast = Cast::set(self, who, case).await?;
        let warm = cast.submit(WARM_UP_SECS, &Submitted::default()).await?;
        let before = cast.look(self).await?;
        let started = Instant::now();
        let submitted = cast.submit(seconds, &warm).await?;
        let took = started.elapsed();
        let after = cast.look(self).await?;
        let verdict = cast.judge(&warm, &submitted).await?;
        cast.running.end().await?;
        let mut run = Run::new(who, case, round, &submitted, took, &before, &after);
        run.blame(verdict, took);
        Ok(run)
    }
}

/// The processes of a run.
struct Cast {
    who: Coordinator,
    participants: Participants,
    running: Running,
    load: Loader,
    work: Work,
}

impl Cast {
    async fn set(track: &Track, who: Coordinator, case: &Case) -> Result<Self> {
        let wire = case.shape.wire;
        let participants = Participants::start(wire).await?;
        let running = Running::start(who, wire, &track.programs, &track.backing).await?;
        let work = Work {
            who,
            target: running.address(wire)?,
            stub: participants.address(),
            shape: case.shape,
        };
        let load = Loader::start(case.connections)?;
        Ok(Self {
            who,
            participants,
            running,
            load,
            work,
        })
    }

    /// Submits for some seconds and waits for all ends. What was submitted before has ended.
    async fn submit(&mut self, seconds: f64, before: &Submitted) -> Result<Submitted> {
        let submitted = self.load.submit(self.work, Until::Seconds(seconds)).await?;
        let transactions = before.accepted + submitted.accepted;
        let calls = before.calls.all() + submitted.calls.all();
        let participants = &mut self.participants;
        self.running
            .ended(transactions, calls, participants)
            .await?;
        Ok(submitted)
    }

    async fn look(&mut self, track: &Track) -> Result<Look> {
        let meters = self.running.meters().await?;
        let pid = self.running.process().pid()?;
        Ok(Look {
            meters,
            cpu: procfs::cpu(pid)?,
            resident_bytes: procfs::resident_bytes(pid)?,
            store: track.backing.work()?,
            flushes: flushes()?,
        })
    }

    /// Compares calls and stored states with what was accepted. A peer that is wrong is told of; anyone else fails the run.
    async fn judge(&mut self, warm: &Submitted, submitted: &Submitted) -> Result<Verdict> {
        let mut expected = warm.calls;
        expected.add_all(&submitted.calls);
        let called = judge_calls(&self.participants.calls().await?, &expected);
        if self.who == Coordinator::Null {
            called?;
            return Ok(Verdict::default());
        }
        let accepted = warm.accepted + submitted.accepted;
        let target = self.running.address(Wire::Http)?;
        let checked = self.load.check(target, self.who).await?;
        let stored = checked.judge(accepted);
        if self.who == Coordinator::Server {
            called?;
            stored?;
            return Ok(Verdict::default());
        }
        let complaint = stored.and(called).err();
        Ok(Verdict {
            lost: accepted.saturating_sub(checked.right),
            complaint: complaint.map(|error| format!("{error:#}")),
        })
    }
}

/// What was wrong with a peer's run.
#[derive(Default)]
struct Verdict {
    lost: u64,
    complaint: Option<String>,
}

fn judge_calls(calls: &Calls, expected: &Calls) -> Result<()> {
    if calls != expected {
        bail!("calls were lost or doubled: {calls} instead of {expected}");
    }
    Ok(())
}

/// What can be seen of a coordinator at one instant.
struct Look {
    meters: Meters,
    cpu: Duration,
    resident_bytes: u64,
    store: StoreWork,
    flushes: u64,
}

impl Run {
    fn new(
        coordinator: Coordinator,
        case: &Case,
        round: u32,
        submitted: &Submitted,
        took: Duration,
        before: &Look,
        after: &Look,
    ) -> Self {
        let each = |sum: f64| sum / count(submitted.accepted.max(1));
        let each_us = |before: Duration, after: Duration| {
            each(after.saturating_sub(before).as_secs_f64() * 1e6)
        };
        Self {
            case: case.name.clone(),
            coordinator,
            round,
            connections: case.connections,
            transactions: submitted.accepted,
            refused: submitted.refused,
            lost: 0,
            complaint: None,
            rate: count(submitted.accepted) / took.as_secs_f64(),
            cpu_us: each_us(before.cpu, after.cpu),
            p50_us: f64::from(submitted.p50_us),
            p99_us: f64::from(submitted.p99_us),
            resident_mib: mebibytes(after.resident_bytes),
            appends: each(after.meters.appends - before.meters.appends),
            batches: each(after.meters.batches - before.meters.batches),
            flushes: each(count(after.flushes - before.flushes)),
            commands: each(after.store.commands - before.store.commands),
            store_cpu_us: each_us(before.store.cpu, after.store.cpu),
        }
    }

    /// What was lost didn't end.
    fn blame(&mut self, verdict: Verdict, took: Duration) {
        self.lost = verdict.lost;
        self.complaint = verdict.complaint;
        self.rate = count(self.transactions.saturating_sub(self.lost)) / took.as_secs_f64();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Operation;

    #[test]
    fn a_call_too_many_or_too_few_or_another_one_fails_the_run() {
        let calls = |gids: &[&str]| {
            let mut calls = Calls::default();
            for gid in gids {
                calls.add(gid, "01", Operation::Action);
            }
            calls
        };
        let expected = calls(&["a", "b"]);
        assert!(judge_calls(&calls(&["b", "a"]), &expected).is_ok());
        for wrong in [&["a"] as &[&str], &["a", "b", "b"], &["a", "a"]] {
            assert!(judge_calls(&calls(wrong), &expected).is_err());
        }
    }
}
