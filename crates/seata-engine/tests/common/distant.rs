//! A store far away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::UnixMillis;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, Stored, TxnStore,
};
use seata_store_mem::MemStore;

/// A store whose answers lie on the way for a while, or that has given leases to others.
#[derive(Clone)]
pub struct Distant {
    store: MemStore,
    pub leases_are_lost: Arc<AtomicBool>,
    pub claim_back_ms: Arc<AtomicU64>,
    pub append_back_ms: Arc<AtomicU64>,
}

impl Distant {
    pub fn new(store: &MemStore) -> Self {
        Self {
            store: store.clone(),
            leases_are_lost: Arc::default(),
            claim_back_ms: Arc::default(),
            append_back_ms: Arc::default(),
        }
    }
}

async fn pass(ms: &AtomicU64) {
    tokio::time::sleep(Duration::from_millis(ms.load(Ordering::Relaxed))).await;
}

#[async_trait]
impl TxnStore for Distant {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let answers = self.store.append(batch).await;
        pass(&self.append_back_ms).await;
        answers
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.store.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        let claimed = self.store.claim_due(owner, lasts, limit).await;
        pass(&self.claim_back_ms).await;
        claimed
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        if self.leases_are_lost.load(Ordering::Relaxed) {
            return Ok(held.iter().map(|_| Held::Lost).collect());
        }
        self.store.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.store.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.store.ping().await
    }
}
