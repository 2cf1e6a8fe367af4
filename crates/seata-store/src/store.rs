//! The trait that an adapter implements.

use std::time::Duration;

use async_trait::async_trait;
use seata_core::{FencingToken, Gid, UnixMillis};

use crate::append::{Append, AppendOutcome};
use crate::error::StoreError;
use crate::header::{Header, Owner, Revision, Stored};
use crate::list::{ListQuery, Page};

/// How much one claim may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimLimit {
    /// At most so many transactions.
    pub count: usize,
    /// About so many bytes of history: a claim stops after the first record that passes this.
    pub bytes: usize,
}

/// Whether a lease is still held after a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It holds for the whole span again. The record stands at this revision: a higher one than the holder's own means
    /// that somebody appended an order.
    Renewed(Revision),
    /// Another token stands in the record, the lease was released, or the record has ended.
    Lost,
    /// The store could not say: its part that keeps this record did not answer. Neither renewed nor lost; the renewal
    /// may even take effect later.
    Unknown,
}

/// What an adapter likes and what it can't take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreLimits {
    /// The most appends of one batch.
    pub batch_count_max: usize,
    /// The most bytes of chunks in one batch, unless it is a single append.
    pub batch_bytes_max: usize,
    /// How many batches may be under way at once: 1 for an embedded log, several for a database.
    pub batches_in_flight_max: usize,
    /// The largest history of one transaction, in bytes. A larger append is refused as `Invalid`, never truncated.
    pub record_bytes_max: usize,
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            batch_count_max: 256,
            batch_bytes_max: 8 << 20,
            batches_in_flight_max: 1,
            record_bytes_max: 64 << 20,
        }
    }
}

/// Keeps transactions. Every method makes one attempt; whoever calls it decides about another.
#[async_trait]
pub trait TxnStore: Send + Sync + 'static {
    /// Applies each append or none of it, durably before it answers; answers each by itself, in the order given. At
    /// most one append per gid is in a batch or in flight. The rule of each is [`Append::judge`].
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>>;

    /// Reads one record.
    ///
    /// # Errors
    /// The store could not answer, or the record is damaged.
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError>;

    /// Leases out open transactions whose wake-up and lease have both passed by the store's clock, earliest wake-up
    /// first, each to one caller only and with its token raised by one. Revision, `wake_at` and `updated_at` stay.
    ///
    /// # Errors
    /// The store could not answer.
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError>;

    /// Prolongs leases to `lasts` from now; touches neither revision nor history. Answers each in the order given. A
    /// lease that has run out but was not taken by another is held again. Where a part of the store does not answer, its
    /// leases are [`Held::Unknown`] and the others are renewed: a dead shard must not end the leases of healthy ones.
    ///
    /// # Errors
    /// No part of the store could answer.
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError>;

    /// Answers a page of headers.
    ///
    /// # Errors
    /// The store could not answer.
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError>;

    /// Removes up to `limit` transactions that ended (status final, last append before `ended_before`), oldest created
    /// first; looks at a bounded number. Answers how many it removed.
    ///
    /// # Errors
    /// The store could not answer.
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError>;

    /// Answers the store's time. A store of several parts answers as long as one of them does.
    ///
    /// # Errors
    /// The store could not answer.
    async fn ping(&self) -> Result<UnixMillis, StoreError>;

    /// Answers what this adapter likes and can't take.
    fn limits(&self) -> StoreLimits {
        StoreLimits::default()
    }
}
