//! Walks all partitions in list order as if they were one, reading a bounded number from each.

use std::cmp::Ordering;
use std::collections::VecDeque;

use fred::types::Value;
use seata_store::{Gid, UnixMillis};

use crate::error::Fault;
use crate::layout::{Fields, Partition};
use crate::node::Call;
use crate::script::{Command, WALK};
use crate::store::Inner;

/// The most records that one script reads.
const READ_MAX: usize = 250;

/// A place in list order: the score, then the gid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    pub(crate) score: f64,
    pub(crate) gid: String,
}

impl Place {
    /// Answers the place of this gid among what was created at this time. An empty one comes before all of them.
    pub(crate) fn new(created_at: UnixMillis, gid: &str) -> Self {
        Self {
            score: score(created_at),
            gid: gid.to_owned(),
        }
    }

    pub(crate) fn is_before(&self, other: &Self) -> bool {
        let by_score = self.score.total_cmp(&other.score);
        by_score.then_with(|| self.gid.cmp(&other.gid)).is_lt()
    }
}

/// Minus the time of creation, rounded as Redis does: the newest come first.
#[allow(
    clippy::cast_precision_loss,
    reason = "Redis keeps scores so, and rounding keeps the order"
)]
pub(crate) const fn score(UnixMillis(at): UnixMillis) -> f64 {
    at.saturating_neg() as f64
}

/// From which end the walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Newest,
    Oldest,
}

/// What becomes of the walk where a partition can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Losses {
    Fail,
    PassOver,
}

pub(crate) struct Found {
    pub(crate) partition: Partition,
    pub(crate) gid: Gid,
    pub(crate) score: f64,
    pub(crate) fields: Fields,
}

impl Found {
    pub(crate) fn place(&self) -> Place {
        Place {
            score: self.score,
            gid: self.gid.as_str().to_owned(),
        }
    }

    /// Answers the time of creation as exactly as the score tells it.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "what does not fit becomes the nearest that does"
    )]
    pub(crate) const fn created_at(&self) -> UnixMillis {
        UnixMillis(-self.score as i64)
    }
}

struct Part {
    partition: Partition,
    read: VecDeque<Found>,
    behind: Option<Place>,
    is_over: bool,
}

pub(crate) struct Walk<'a> {
    inner: &'a Inner,
    call: Call,
    from: From,
    losses: Losses,
    parts: Vec<Part>,
    lost: Vec<Fault>,
    /// How many are wanted in all, as far as that is known: what is read at once follows it.
    wanted: usize,
}

impl<'a> Walk<'a> {
    pub(crate) fn begin(
        inner: &'a Inner,
        call: Call,
        (from, losses): (From, Losses),
        behind: Option<&Place>,
        wanted: usize,
    ) -> Self {
        let parts = inner.layout.all().map(|partition| Part {
            partition,
            read: VecDeque::new(),
            behind: behind.cloned(),
            is_over: false,
        });
        Self {
            inner,
            call,
            from,
            losses,
            parts: parts.collect(),
            lost: Vec::new(),
            wanted,
        }
    }

    /// Answers the next one of all partitions.
    pub(crate) async fn next(&mut self) -> Result<Option<Found>, Fault> {
        self.fill().await?;
        let from = self.from;
        let heads = self.parts.iter().enumerate();
        let heads = heads.filter_map(|(at, part)| Some((at, part.read.front()?)));
        let first = heads.min_by(|(_, one), (_, other)| ordered(from, one, other));
        let at = first.map(|(at, _)| at);
        Ok(at.and_then(|at| self.parts[at].read.pop_front()))
    }

    /// Answers why nothing at all could be read.
    pub(crate) fn all_lost(&self) -> Option<&Fault> {
        self.lost
            .last()
            .filter(|_| self.lost.len() == self.parts.len())
    }

    /// Reads on wherever nothing is left to compare.
    async fn fill(&mut self) -> Result<(), Fault> {
        let count = (self.wanted * 3 / 2 / self.parts.len() + 4).min(READ_MAX);
        let empty: Vec<usize> = (0..self.parts.len())
            .filter(|at| self.parts[*at].read.is_empty() && !self.parts[*at].is_over)
            .collect();
        if empty.is_empty() {
            return Ok(());
        }
        let commands = empty
            .iter()
            .map(|at| self.command(&self.parts[*at], count))
            .collect();
        let answers = self.inner.ask_each(self.call, commands).await;
        for (at, answer) in empty.into_iter().zip(answers) {
            let part = &mut self.parts[at];
            let values = match (answer, self.losses) {
                (Ok(value), _) => value.into_array(),
                (Err(fault), Losses::Fail) => return Err(fault),
                (Err(fault), Losses::PassOver) => {
                    part.is_over = true;
                    self.lost.push(fault);
                    continue;
                }
            };
            part.is_over = values.len() < count;
            let found = values
                .into_iter()
                .filter_map(|value| found(part.partition, value));
            part.read = found.collect();
            if let Some(last) = part.read.back() {
                part.behind = Some(last.place());
            }
        }
        Ok(())
    }

    fn command(&self, part: &Part, count: usize) -> (Partition, Command) {
        let (from, everything) = match self.from {
            From::Newest => ("new", "-inf"),
            From::Oldest => ("old", "+inf"),
        };
        let (score, gid) = match &part.behind {
            Some(place) => (format!("{:.0}", place.score), place.gid.as_str()),
            None => (everything.to_owned(), ""),
        };
        let layout = &self.inner.layout;
        let args = vec![
            Value::from(from),
            Value::from(score),
            Value::from(gid),
            Value::from(count.to_string()),
            Value::from(layout.records(part.partition)),
        ];
        let keys = vec![layout.listed(part.partition)];
        (part.partition, Command::script(&WALK, keys, args))
    }
}

fn ordered(from: From, one: &Found, other: &Found) -> Ordering {
    let by_list = one.score.total_cmp(&other.score);
    let by_list = by_list.then_with(|| one.gid.cmp(&other.gid));
    match from {
        From::Newest => by_list,
        From::Oldest => by_list.reverse(),
    }
}

/// What is no gid and score was not written by a store; it is passed over.
fn found(partition: Partition, value: Value) -> Option<Found> {
    let mut parts = value.into_array().into_iter();
    let gid = parts.next()?.into_string()?;
    let score = parts.next()?.into_string()?.parse().ok()?;
    Some(Found {
        partition,
        gid: Gid::parse(&gid).ok()?,
        score,
        fields: Fields::walked(parts.next()?.into_array()),
    })
}
