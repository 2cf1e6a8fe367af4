//! The contract on [`Records`] behind one lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::records::Records;

/// Tells the store's time. It must not go back.
pub type StoreClock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// Keeps transactions in memory. Clones are one store.
#[derive(Clone)]
pub struct MemStore {
    records: Arc<Mutex<Records>>,
    clock: StoreClock,
    limits: StoreLimits,
}

impl MemStore {
    /// Makes an empty store that lives by this clock.
    #[must_use]
    pub fn new(clock: StoreClock) -> Self {
        Self::with_limits(clock, StoreLimits::default())
    }

    /// Makes an empty store with other limits.
    #[must_use]
    pub fn with_limits(clock: StoreClock, limits: StoreLimits) -> Self {
        Self {
            records: Arc::default(),
            clock,
            limits,
        }
    }

    /// Answers all headers, by gid: the truth, for whoever judges a simulation.
    #[must_use]
    pub fn headers(&self) -> Vec<Header> {
        self.lock().headers()
    }

    /// Answers a record without going through the contract.
    #[must_use]
    pub fn peek(&self, gid: &Gid) -> Option<Stored> {
        self.lock().load(gid)
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TxnStore for MemStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let now = (self.clock)();
        let mut records = self.lock();
        batch
            .into_iter()
            .map(|append| records.append(append, now, self.limits.record_bytes_max))
            .collect()
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        Ok(self.lock().load(gid))
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        Ok(self.lock().claim_due(owner, lasts, limit, (self.clock)()))
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        Ok(self.lock().renew(held, lasts, (self.clock)()))
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        Ok(self.lock().list(query))
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        Ok(self.lock().purge(ended_before, limit))
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        Ok((self.clock)())
    }

    fn limits(&self) -> StoreLimits {
        self.limits
    }
}
