//! The contract over several stores: cuts, asks all at once, and merges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    Shard, StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis,
};
use tokio::time::Instant;

use crate::gate::{Call, ShardState};
use crate::member::{ANSWER_TIME_MAX, Member};
use crate::{append, lease, list, place, time};

/// Several stores as one. Clones are one store.
#[derive(Clone)]
pub struct Sharded {
    inner: Arc<Inner>,
}

struct Inner {
    members: Vec<Member>,
    count: u16,
    limits: StoreLimits,
    /// Whose turn it is to be served first where there is not something for each.
    claims: AtomicUsize,
    purges: AtomicUsize,
    clocks_differ: AtomicBool,
}

pub(crate) fn no_shards() -> StoreError {
    let why = "give at least one shard, and at most 65,535";
    StoreError::new(StoreErrorKind::Invalid, "combining shards", why)
}

impl Sharded {
    /// Combines shards. Their number and order are part of what is stored: see [`crate::shard_of`].
    ///
    /// # Errors
    /// `Invalid`: there is none, or there are more than 65,535.
    pub fn new(shards: Vec<Arc<dyn TxnStore>>) -> Result<Self, StoreError> {
        let count = u16::try_from(shards.len()).map_err(|_| no_shards())?;
        let members: Vec<_> = (0..count)
            .filter_map(|index| Shard::new(index, count))
            .zip(shards)
            .map(|(name, store)| Member::new(name, store))
            .collect();
        let limits = combined(members.iter().map(Member::limits)).ok_or_else(no_shards)?;
        Ok(Self {
            inner: Arc::new(Inner {
                members,
                count,
                limits,
                claims: AtomicUsize::new(0),
                purges: AtomicUsize::new(0),
                clocks_differ: AtomicBool::new(false),
            }),
        })
    }

    /// Answers what is known of each shard, in order, from the last calls. It asks nobody.
    #[must_use]
    pub fn states(&self) -> Vec<ShardState> {
        self.inner.members.iter().map(Member::state).collect()
    }
}

/// Answers the limits of all shards together.
///
/// A batch is cut into parts of about equal size, so it may hold more than one shard takes; a quarter is left free, so
/// that chance seldom gives a shard more than it takes at once. Each batch goes to about each shard, so no more may be
/// under way than one shard likes.
fn combined(limits: impl Iterator<Item = StoreLimits>) -> Option<StoreLimits> {
    let limits: Vec<_> = limits.collect();
    let least = |of: fn(&StoreLimits) -> usize| limits.iter().map(of).min();
    let spread = |one: usize| match limits.len() {
        1 => one,
        count => one.saturating_mul(count) / 4 * 3,
    };
    Some(StoreLimits {
        batch_count_max: spread(least(|one| one.batch_count_max)?).max(1),
        batch_bytes_max: spread(least(|one| one.batch_bytes_max)?),
        batches_in_flight_max: least(|one| one.batches_in_flight_max)?,
        record_bytes_max: least(|one| one.record_bytes_max)?,
    })
}

impl Inner {
    fn place(&self, gid: &Gid) -> usize {
        usize::from(place::shard_of(gid, self.count))
    }

    /// Answers all shards, beginning with another one each time that this count is asked.
    fn in_turn(&self, turn: &AtomicUsize) -> Vec<&Member> {
        let first = turn.fetch_add(1, Ordering::Relaxed) % self.members.len();
        let (behind, before) = self.members.split_at(first);
        before.iter().chain(behind).collect()
    }

    /// Removes from one shard after the other, until the limit is reached or half of the time has gone.
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let begun = Instant::now();
        let (mut purged, mut answers, mut failure) = (0, 0, None);
        for member in self.in_turn(&self.purges) {
            if purged >= limit || begun.elapsed() > ANSWER_TIME_MAX / 2 {
                break;
            }
            let question = member.store.purge(ended_before, limit - purged);
            let until = begun + ANSWER_TIME_MAX;
            match member.ask(Call::Write, "purging", until, question).await {
                Ok(some) => {
                    answers += 1;
                    purged += some;
                }
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if answers == 0 => Err(error),
            Some(_) | None => Ok(purged),
        }
    }

    /// Logs once when the clocks begin to differ, and once when they agree again.
    fn compare_clocks(&self, difference: Duration) {
        let differ = difference > time::DIFFERENCE_MAX;
        let differed = self.clocks_differ.swap(differ, Ordering::Relaxed);
        if differ && !differed {
            let by_ms = u64::try_from(difference.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                by_ms,
                "the clocks of the shards differ: wake-ups come late by as much; set the clocks of the databases"
            );
        } else if differed && !differ {
            tracing::info!("the clocks of the shards agree again");
        }
    }
}

#[async_trait]
impl TxnStore for Sharded {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        let inner = &self.inner;
        let parts = append::parts(&inner.members, batch, |append| inner.place(&append.gid));
        append::append(parts, count).await
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        let member = &self.inner.members[self.inner.place(gid)];
        let until = Instant::now() + ANSWER_TIME_MAX;
        let question = member.store.load(gid);
        member.ask(Call::Read, "loading", until, question).await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        lease::claim_due(self.inner.in_turn(&self.inner.claims), owner, lasts, limit).await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        let inner = &self.inner;
        let items = held.iter().cloned();
        let parts = append::parts(&inner.members, items, |(gid, _)| inner.place(gid));
        lease::renew(parts, held.len(), lasts).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        list::list(&self.inner.members, query).await
    }

    /// As the contract says, but the oldest of each shard come first, and another shard each time.
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.inner.purge(ended_before, limit).await
    }

    /// Answers the latest time of the shards that answer; fails if none does.
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        let told = time::tell(&self.inner.members).await?;
        self.inner.compare_clocks(told.difference);
        Ok(told.time)
    }

    fn limits(&self) -> StoreLimits {
        self.inner.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_that_every_shard_keeps() {
        let small = StoreLimits {
            batch_count_max: 100,
            batch_bytes_max: 4_000,
            batches_in_flight_max: 8,
            record_bytes_max: 9_000,
        };
        let other = StoreLimits {
            batch_count_max: 200,
            batches_in_flight_max: 4,
            ..StoreLimits::default()
        };
        assert_eq!(combined([small].into_iter()), Some(small));
        let both = StoreLimits {
            batch_count_max: 150,
            batch_bytes_max: 6_000,
            batches_in_flight_max: 4,
            record_bytes_max: 9_000,
        };
        assert_eq!(combined([small, other].into_iter()), Some(both));
        assert_eq!(combined([].into_iter()), None);
    }
}
