//! A load that does not care how the server fares: it sends at a rate of its own, or without a pause, and takes note of
//! every answer. What is refused is not sent again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::figures::percentile;
use crate::lane::Lane;
use crate::wire::Wire;

/// How many of those that were accepted, and how many of those that were refused, are looked for afterwards: about all is
/// told by the numbers of ended transactions and of calls.
const LOOKED_FOR_MAX: usize = 4_000;

/// How long the client of a call may wait for it: longer than anything here takes.
const REQUEST_TIMEOUT_SECS: u32 = 300;

/// How it sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// On each connection the next request as soon as the answer to the last one is there.
    Unbroken,
    /// So many requests a second in all, whatever is answered.
    Rate(f64),
}

/// When it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    After(Duration),
    /// Once so many were sent.
    Sent(u64),
}

/// Some connections to one server.
pub(crate) struct Flood {
    target: SocketAddr,
    lanes: Vec<Lane>,
}

/// What was answered.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    pub(crate) accepted: Vec<u128>,
    pub(crate) refused: Vec<u128>,
    /// Answers 503: it may have been done.
    pub(crate) unsure: Vec<u128>,
    /// Connections that broke before an answer came.
    pub(crate) broken: u64,
    pub(crate) accepted_us: Vec<u32>,
    pub(crate) refused_us: Vec<u32>,
}

impl Flood {
    pub(crate) async fn open(target: SocketAddr, connections: usize) -> Result<Self> {
        let mut lanes = Vec::with_capacity(connections);
        for _ in 0..connections {
            lanes.push(Lane::open(target, Wire::Http).await?);
        }
        Ok(Self { target, lanes })
    }

    /// Submits sagas of two branches on participants at these places.
    pub(crate) async fn submit(
        self,
        actions: [String; 2],
        pace: Pace,
        until: Until,
    ) -> Result<Answers> {
        let count = u32::try_from(self.lanes.len()).context("counting connections")?;
        let work = Arc::new(Work {
            target: self.target,
            before: "{\"gid\":\"",
            behind: behind(&actions),
        });
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for (at, lane) in (0_u32..).zip(self.lanes) {
            let beat = Beat::of(pace, begun, at, count);
            let quota = match until {
                Until::After(span) => Quota::Time(begun + span),
                Until::Sent(all) => Quota::Count(all / u64::from(count)),
            };
            tasks.spawn(flood(lane, Arc::clone(&work), beat, quota));
        }
        let mut answers = Answers::default();
        for more in tasks.join_all().await {
            answers.add(more);
        }
        answers.accepted_us.sort_unstable();
        answers.refused_us.sort_unstable();
        Ok(answers)
    }
}

/// What all connections send, but for the gid.
struct Work {
    target: SocketAddr,
    before: &'static str,
    behind: String,
}

fn behind(actions: &[String; 2]) -> String {
    let [debit, credit] = actions;
    let branches = json!([
        { "branch_id": "debit", "action": debit, "payload": { "account": "a", "amount_cents": 4200 } },
        { "branch_id": "credit", "action": credit, "payload": { "account": "b", "amount_cents": 4200 } },
    ]);
    let options = json!({ "request_timeout_secs": REQUEST_TIMEOUT_SECS });
    format!("\",\"mode\":\"saga\",\"branches\":{branches},\"options\":{options}}}")
}

/// When one connection sends next.
enum Beat {
    AtOnce,
    At { next: Instant, every: Duration },
}

impl Beat {
    fn of(pace: Pace, begun: Instant, at: u32, count: u32) -> Self {
        match pace {
            Pace::Unbroken => Self::AtOnce,
            Pace::Rate(rate) => {
                let every = Duration::from_secs_f64(f64::from(count) / rate);
                let next = begun + every * at / count;
                Self::At { next, every }
            }
        }
    }

    /// Waits for the next time. One that is late sends at once, until it has caught up.
    async fn wait(&mut self) {
        if let Self::At { next, every } = self {
            tokio::time::sleep_until((*next).into()).await;
            *next += *every;
        }
    }
}

enum Quota {
    Time(Instant),
    Count(u64),
}

impl Quota {
    fn take(&mut self) -> bool {
        match self {
            Self::Time(end) => Instant::now() < *end,
            Self::Count(left) => {
                let taken = *left > 0;
                *left = left.saturating_sub(1);
                taken
            }
        }
    }
}

async fn flood(mut lane: Lane, work: Arc<Work>, mut beat: Beat, mut quota: Quota) -> Answers {
    let mut answers = Answers::default();
    loop {
        beat.wait().await;
        if !quota.take() {
            return answers;
        }
        let gid = fastrand::u128(..);
        let body = Bytes::from(format!("{}{}{}", work.before, gid_text(gid), work.behind));
        let sent = Instant::now();
        match lane.post("/api/submit", body).await {
            Ok((status, _)) => answers.note(gid, status, sent.elapsed()),
            Err(_) => {
                answers.broken += 1;
                answers.unsure.push(gid);
                if let Ok(another) = Lane::open(work.target, Wire::Http).await {
                    lane = another;
                }
            }
        }
    }
}

impl Answers {
    fn note(&mut self, gid: u128, status: StatusCode, took: Duration) {
        let took_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        match status {
            StatusCode::OK => {
                self.accepted.push(gid);
                self.accepted_us.push(took_us);
            }
            StatusCode::TOO_MANY_REQUESTS => {
                self.refused.push(gid);
                self.refused_us.push(took_us);
            }
            _ => self.unsure.push(gid),
        }
    }

    fn add(&mut self, other: Self) {
        self.accepted.extend(other.accepted);
        self.refused.extend(other.refused);
        self.unsure.extend(other.unsure);
        self.broken += other.broken;
        self.accepted_us.extend(other.accepted_us);
        self.refused_us.extend(other.refused_us);
    }

    /// Answers a percentile of the time until an acceptance, in ms.
    pub(crate) fn accepted_ms(&self, percent: usize) -> f64 {
        f64::from(percentile(&self.accepted_us, percent)) / 1e3
    }

    /// Answers a percentile of the time until a refusal, in ms.
    pub(crate) fn refused_ms(&self, percent: usize) -> f64 {
        f64::from(percentile(&self.refused_us, percent)) / 1e3
    }

    /// Reads some of what was accepted and of what was refused.
    ///
    /// # Errors
    /// Something that was accepted isn't COMMITTED, or something that was refused exists.
    pub(crate) async fn are_true(&self, target: SocketAddr) -> Result<()> {
        let mut lane = Lane::open(target, Wire::Http).await?;
        for gid in spread(&self.accepted) {
            let path = format!("/api/tx/{}", gid_text(*gid));
            let (status, body) = lane.get(&path).await?;
            let ended = body.windows(11).any(|text| text == b"\"COMMITTED\"");
            if status != StatusCode::OK || !ended {
                let text = String::from_utf8_lossy(&body);
                bail!("{path} was accepted and is now {status}: {text}");
            }
        }
        for gid in spread(&self.refused) {
            let path = format!("/api/tx/{}", gid_text(*gid));
            let (status, _) = lane.get(&path).await?;
            if status != StatusCode::NOT_FOUND {
                bail!("{path} was refused and is now {status}");
            }
        }
        Ok(())
    }
}

/// Answers some of many, from begin to end.
fn spread(all: &[u128]) -> impl Iterator<Item = &u128> {
    all.iter()
        .step_by(all.len().div_ceil(LOOKED_FOR_MAX).max(1))
}

fn gid_text(gid: u128) -> String {
    format!("{gid:032x}")
}
