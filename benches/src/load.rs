//! The load: some connections, each of which submits one transaction after the other. It takes orders from the runner.
//!
//! It pauses on 429 and sends the same again. Any other answer but 200 fails the order: nothing is left out of the figures.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;

use crate::figures::percentile;
use crate::lane::Lane;
use crate::order::{Checked, Order, Report, Submitted, Template, Until, gid_text};

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
    accepted: Vec<u128>,
}

impl Load {
    async fn obey(&mut self, order: Order) -> Result<Report> {
        match order {
            Order::Submit {
                target,
                saga,
                until,
            } => {
                let lanes = self.open(target).await?;
                let submitted = self.submit(lanes, saga.template(), until).await;
                submitted.map(Report::Submitted)
            }
            Order::Check { target, status } => {
                let lanes = self.open(target).await?;
                self.check(lanes, status).await.map(Report::Checked)
            }
        }
    }

    async fn open(&mut self, target: std::net::SocketAddr) -> Result<Vec<Lane>> {
        let mut lanes = Vec::with_capacity(self.lanes.len());
        for kept in &mut self.lanes {
            lanes.push(Lane::reopen(kept.take(), target).await?);
        }
        Ok(lanes)
    }

    async fn submit(
        &mut self,
        lanes: Vec<Lane>,
        template: Template,
        until: Until,
    ) -> Result<Submitted> {
        let started = Instant::now();
        let job = Arc::new(Job {
            template,
            end: End::of(until, started),
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
        let seconds = started.elapsed().as_secs_f64();
        self.accepted.extend_from_slice(&all.accepted);
        all.latencies_us.sort_unstable();
        Ok(Submitted {
            accepted: all.accepted.len() as u64,
            refused: all.refused,
            seconds,
            p50_us: percentile(&all.latencies_us, 50),
            p99_us: percentile(&all.latencies_us, 99),
        })
    }

    async fn check(&mut self, lanes: Vec<Lane>, status: String) -> Result<Checked> {
        let count = lanes.len();
        let mut tasks = JoinSet::new();
        for (at, lane) in lanes.into_iter().enumerate() {
            let gids = self.accepted.iter().skip(at).step_by(count).copied();
            tasks.spawn(check_on(lane, gids.collect(), status.clone()));
        }
        let mut all = Checked::default();
        for (kept, done) in self.lanes.iter_mut().zip(tasks.join_all().await) {
            let (lane, checked) = done?;
            *kept = Some(lane);
            all.checked += checked.checked;
            all.wrong += checked.wrong;
            all.example = all.example.or(checked.example);
        }
        Ok(all)
    }
}

struct Job {
    template: Template,
    end: End,
}

enum End {
    At(Instant),
    /// How many are still to be begun.
    After(AtomicU64),
}

impl End {
    fn of(until: Until, started: Instant) -> Self {
        match until {
            Until::Seconds(seconds) => Self::At(started + Duration::from_secs_f64(seconds)),
            Until::Accepted(count) => Self::After(AtomicU64::new(count)),
        }
    }

    /// Answers whether another one is to be begun.
    fn take(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        match self {
            Self::At(end) => Instant::now() < *end,
            Self::After(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok(),
        }
    }

    /// Answers whether one that was refused is to be sent again.
    fn insists(&self) -> bool {
        match self {
            Self::At(end) => Instant::now() < *end,
            Self::After(_) => true,
        }
    }
}

#[derive(Default)]
struct Tally {
    accepted: Vec<u128>,
    latencies_us: Vec<u32>,
    refused: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.latencies_us.extend(other.latencies_us);
        self.refused += other.refused;
    }
}

async fn submit_on(mut lane: Lane, job: Arc<Job>) -> Result<(Lane, Tally)> {
    let mut tally = Tally::default();
    while job.end.take() {
        let gid = fastrand::u128(..);
        let body = job.template.body(gid);
        while !accepted(&mut lane, &mut tally, gid, body.clone()).await? && job.end.insists() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok((lane, tally))
}

async fn accepted(
    lane: &mut Lane,
    tally: &mut Tally,
    gid: u128,
    body: bytes::Bytes,
) -> Result<bool> {
    let sent = Instant::now();
    match lane.post("/api/submit", body).await? {
        StatusCode::OK => {
            let took_us = sent.elapsed().as_micros();
            tally
                .latencies_us
                .push(u32::try_from(took_us).unwrap_or(u32::MAX));
            tally.accepted.push(gid);
            Ok(true)
        }
        StatusCode::TOO_MANY_REQUESTS => {
            tally.refused += 1;
            Ok(false)
        }
        status => bail!("a submission was answered {status}"),
    }
}

async fn check_on(mut lane: Lane, gids: Vec<u128>, status: String) -> Result<(Lane, Checked)> {
    #[derive(Deserialize)]
    struct Transaction {
        status: String,
    }
    let mut checked = Checked::default();
    for gid in gids {
        let gid = gid_text(gid);
        let (code, body) = lane.get(&format!("/api/tx/{gid}")).await?;
        let read = serde_json::from_slice(&body)
            .map_or_else(|_| code.to_string(), |found: Transaction| found.status);
        checked.checked += 1;
        if read != status {
            checked.wrong += 1;
            checked.example = Some(format!("{gid} is {read}"));
        }
    }
    Ok((lane, checked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_number_is_begun_and_not_one_more() {
        let end = End::of(Until::Accepted(3), Instant::now());
        assert_eq!((0..10).filter(|_| end.take()).count(), 3);
        assert!(end.insists());
    }

    #[test]
    fn nothing_is_begun_or_sent_again_when_the_time_is_over() {
        let end = End::of(Until::Seconds(0.0), Instant::now());
        assert!(!end.take());
        assert!(!end.insists());
    }
}
