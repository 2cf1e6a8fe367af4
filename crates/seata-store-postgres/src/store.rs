//! The contract on PostgreSQL. Thin: each method names what is being done and calls the statement's own module.

use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::append::{self, Mixed};
use crate::connection::Pool;
use crate::purge::{self, PurgedTo};
use crate::{lease, read};

/// Measured (`examples/append_rates.rs`): sessions that commit at the same time share the server's writes to its log, so
/// that the rate rises up to eight batches in flight.
const BATCHES_IN_FLIGHT_MAX: usize = 8;

/// What it likes and can't take. Batches leave half of the connections to claims, renewals and reads. Each append writes
/// the whole history anew, so that its size is bounded where one still fits into a call's time.
pub(crate) fn limits(connections_max: u32) -> StoreLimits {
    let half = usize::try_from(connections_max / 2).unwrap_or(usize::MAX);
    StoreLimits {
        batch_count_max: 256,
        batch_bytes_max: 8 << 20,
        batches_in_flight_max: half.clamp(1, BATCHES_IN_FLIGHT_MAX),
        record_bytes_max: 16 << 20,
    }
}

/// Keeps transactions in one PostgreSQL database. Clones share their connections.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) pool: Pool,
    pub(crate) purged_to: PurgedTo,
    pub(crate) mixed: Mixed,
    pub(crate) limits: StoreLimits,
}

#[async_trait]
impl TxnStore for PostgresStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        append::append(&self.pool, self.mixed, self.limits, batch).await
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        let loaded = read::load(&self.pool, gid).await;
        loaded.map_err(|failure| failure.named("loading"))
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        let claimed = lease::claim_due(&self.pool, owner, lasts, limit).await;
        claimed.map_err(|failure| failure.named("claiming what is due"))
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        let renewed = lease::renew(&self.pool, held, lasts).await;
        renewed.map_err(|failure| failure.named("renewing leases"))
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        let page = read::list(&self.pool, query).await;
        page.map_err(|failure| failure.named("listing"))
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let purged = purge::purge(&self.pool, &self.purged_to, ended_before, limit).await;
        purged.map_err(|failure| failure.named("purging"))
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        let now = read::ping(&self.pool).await;
        now.map_err(|failure| failure.named("asking for the time"))
    }

    fn limits(&self) -> StoreLimits {
        self.limits
    }
}
