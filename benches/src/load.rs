//! The load: some connections, each of which submits one transaction after the other. It takes orders from the runner.
//!
//! It pauses on 429 and sends the same again. Any other answer but 200 fails the order: nothing is left out of the figures.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

use crate::calls::Calls;
use crate::coordinator::Coordinator;
use crate::figures::percentile;
use crate::gid::gid;
use crate::lane::Lane;
use crate::order::{Checked, Order, Report, Submitted, Until, Work};
use crate::pace::Pace;
use crate::script::{End, Script, Scripts, Step};
use crate::verify;

/// The pause after an answer 429.
const PAUSE: Duration = Duration::from_millis(5);

/// Obeys until there are no more orders.
///
/// # Errors
/// The runner can't be understood, or not be answered.
pub(crate) async fn serve(connections: usize) -> Result<()> {
    let mut load = Load {
        lanes: (0..connections).map(|_| None).collect(),
        accepted: Vec::new(),
    };
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = orders.next_line().await.context("reading an order")? {
        let order = serde_json::from_str(&line).context("reading an order")?;
        let report = load.obey(order).await;
        let report = report.unwrap_or_else(|error| Report::Failed(format!("{error:#}")));
        let report = serde_json::to_string(&report).context("writing a report")?;
        writeln!(std::io::stdout(), "{report}").context("answering the runner")?;
    }
    Ok(())
}

struct Load {
    lanes: Vec<Option<Lane>>,
    accepted: Vec<(String, End)>,
}

impl Load {
    async fn obey(&mut self, order: Order) -> Result<Report> {
        match order {
            Order::Submit { work, until } => self.submit(&work, until).await.map(Report::Submitted),
            Order::Check { target, who } => self.check(target, who).await.map(Report::Checked),
        }
    }

    async fn open(&mut self, work: &Work) -> Result<Vec<Lane>> {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for kept in &mut self.lanes {
            lanes.push(Lane::reopen(kept.take(), work.target, work.shape.wire).await?);
        }
        Ok(lanes)
    }

    async fn submit(&mut self, work: &Work, until: Until) -> Result<Submitted> {
        let lanes = self.open(work).await?;
        let scripts = Scripts::new(work.who, &work.shape, work.stub)?;
        let started = Instant::now();
        let job = Arc::new(Job {
            work: *work,
            scripts,
            pace: Pace::new(until, started),
        });
        let mut tasks = JoinSet::new();
        for lane in lanes {
            tasks.spawn(submit_on(lane, Arc::clone(&job)));
        }
        let mut all = Tally::default();
        for (kept, done) in self.lanes.iter_mut().zip(tasks.join_all().await) {
            let (lane, tally) = done?;
            *kept = Some(lane);
            all.add(tally);
        }
        let submitted = all.report(started.elapsed());
        self.accepted.append(&mut all.accepted);
        Ok(submitted)
    }

    async fn check(&self, target: SocketAddr, who: Coordinator) -> Result<Checked> {
        let accepted = self.accepted.iter().cloned().collect();
        verify::stored(who, target, accepted).await
    }
}

struct Job {
    work: Work,
    scripts: Scripts,
    pace: Pace,
}

#[derive(Default)]
struct Tally {
    accepted: Vec<(String, End)>,
    calls: Calls,
    latencies_us: Vec<u32>,
    refused: u64,
}

impl Tally {
    fn accept(&mut self, gid: String, script: &Script, took: Duration) {
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.latencies_us.push(took_us);
        self.calls.add_all(&script.calls(&gid));
        self.accepted.push((gid, script.end));
    }

    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.calls.add_all(&other.calls);
        self.latencies_us.extend(other.latencies_us);
        self.refused += other.refused;
    }

    fn report(&mut self, took: Duration) -> Submitted {
        self.latencies_us.sort_unstable();
        Submitted {
            accepted: self.accepted.len() as u64,
            refused: self.refused,
            calls: self.calls,
            seconds: took.as_secs_f64(),
            p50_us: percentile(&self.latencies_us, 50),
            p99_us: percentile(&self.latencies_us, 99),
        }
    }
}

async fn submit_on(mut lane: Lane, job: Arc<Job>) -> Result<(Lane, Tally)> {
    let mut tally = Tally::default();
    let mut number = 0;
    while job.pace.begins() {
        let script = job.scripts.of(number);
        number += 1;
        let gid = gid(job.work.shape.gids);
        if let Some(took) = follow(&mut lane, &mut tally, &job.pace, script, &gid).await? {
            tally.accept(gid, script, took);
        }
    }
    Ok((lane, tally))
}

/// Sends all requests of a transaction; answers how long it took. None: nothing of it was accepted before the time was over.
async fn follow(
    lane: &mut Lane,
    tally: &mut Tally,
    pace: &Pace,
    script: &Script,
    gid: &str,
) -> Result<Option<Duration>> {
    let mut begun = Instant::now();
    for (step, at) in script.steps.iter().zip(0..) {
        while !is_accepted(lane, step, gid).await? {
            tally.refused += 1;
            // What was begun is brought to its end.
            if at == 0 && !pace.insists() {
                return Ok(None);
            }
            tokio::time::sleep(PAUSE).await;
            if at == 0 {
                begun = Instant::now();
            }
        }
    }
    Ok(Some(begun.elapsed()))
}

async fn is_accepted(lane: &mut Lane, step: &Step, gid: &str) -> Result<bool> {
    let (status, said) = lane.post(step.path, step.body(gid)).await?;
    match status {
        StatusCode::OK => Ok(true),
        StatusCode::TOO_MANY_REQUESTS => Ok(false),
        status => {
            let said = String::from_utf8_lossy(&said);
            bail!("{} was answered {status}: {said}", step.path)
        }
    }
}
