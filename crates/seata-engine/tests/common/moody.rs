//! A store that fails as it is told, for all records or for some, and counts what it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{FencingToken, Gid, UnixMillis};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Header, Held, ListQuery, Owner, Page, StoreError,
    StoreErrorKind, StoreLimits, Stored, TxnStore,
};
use seata_store_mem::MemStore;

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Refuses at once.
    Refuses,
    /// Refuses all but renewals: its disk says nothing.
    RenewsAlone,
    /// Answers nothing and does nothing.
    Hangs,
    /// Answers after so many ms.
    Slow(u64),
    /// Refuses pings, and answers all else.
    PingsRefused,
    /// Answers after one to so many ms.
    Uneven(u64),
    /// Appends hang; all else is answered after so many ms.
    AppendsHang(u64),
    /// Claims are made at once and answered after so many ms.
    ClaimsAnsweredLate(u64),
    /// The part that keeps gids which begin with `dead` refuses.
    PartRefuses,
    /// That part keeps whoever asks it waiting for a second and a half, then fails.
    PartHangs,
}

/// What it was asked.
#[derive(Debug, Default)]
pub struct Asked {
    pub appends: AtomicUsize,
    pub loads: AtomicUsize,
    pub claims: AtomicUsize,
    pub renewals: AtomicUsize,
    pub pings: AtomicUsize,
    loading: AtomicUsize,
    pub loading_max: AtomicUsize,
}

impl Asked {
    pub fn all(&self) -> usize {
        [
            &self.appends,
            &self.loads,
            &self.claims,
            &self.renewals,
            &self.pings,
        ]
        .into_iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum()
    }
}

#[derive(Clone)]
pub struct Moody {
    store: MemStore,
    mood: Arc<Mutex<Mood>>,
    turns: Arc<AtomicUsize>,
    pub asked: Arc<Asked>,
}

fn refusal() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "asking", "refused")
}

fn is_dead(gid: &Gid) -> bool {
    gid.as_str().starts_with("dead")
}

impl Moody {
    pub fn new(store: &MemStore) -> Self {
        Self {
            store: store.clone(),
            mood: Arc::new(Mutex::new(Mood::Well)),
            turns: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    /// Waits or fails as all of the store does.
    async fn whole(&self) -> Result<(), StoreError> {
        match self.mood() {
            Mood::Well
            | Mood::PingsRefused
            | Mood::ClaimsAnsweredLate(_)
            | Mood::PartRefuses
            | Mood::PartHangs => Ok(()),
            Mood::Uneven(most_ms) => {
                let turn = self.turns.fetch_add(1, Ordering::Relaxed);
                let mixed = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
                let ms = 1 + u64::try_from(mixed).unwrap() % most_ms;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Mood::Refuses | Mood::RenewsAlone => Err(refusal()),
            Mood::Hangs => std::future::pending().await,
            Mood::Slow(ms) | Mood::AppendsHang(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
        }
    }

    /// Waits as a batch does in which the dead part has a share. Answers whether that part is dead.
    async fn part(&self, touched: bool) -> bool {
        match self.mood() {
            Mood::PartRefuses => true,
            Mood::PartHangs => {
                if touched {
                    tokio::time::sleep(Duration::from_millis(1_500)).await;
                }
                true
            }
            Mood::Well
            | Mood::PingsRefused
            | Mood::ClaimsAnsweredLate(_)
            | Mood::Uneven(_)
            | Mood::Refuses
            | Mood::RenewsAlone
            | Mood::Hangs
            | Mood::Slow(_)
            | Mood::AppendsHang(_) => false,
        }
    }
}

#[async_trait]
impl TxnStore for Moody {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        self.asked.appends.fetch_add(1, Ordering::Relaxed);
        if let Mood::AppendsHang(_) = self.mood() {
            return std::future::pending().await;
        }
        if let Err(error) = self.whole().await {
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        let dead = self
            .part(batch.iter().any(|append| is_dead(&append.gid)))
            .await;
        let mut answers = Vec::new();
        for append in batch {
            if dead && is_dead(&append.gid) {
                answers.push(Err(refusal()));
            } else {
                answers.extend(self.store.append(vec![append]).await);
            }
        }
        answers
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.asked.loads.fetch_add(1, Ordering::Relaxed);
        let loading = self.asked.loading.fetch_add(1, Ordering::Relaxed) + 1;
        self.asked.loading_max.fetch_max(loading, Ordering::Relaxed);
        let _done = Done(&self.asked.loading);
        self.whole().await?;
        // So that those who ask together are seen together.
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.part(is_dead(gid)).await && is_dead(gid) {
            return Err(refusal());
        }
        self.store.load(gid).await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.asked.claims.fetch_add(1, Ordering::Relaxed);
        self.whole().await?;
        let claimed = self.store.claim_due(owner, lasts, limit).await;
        if let Mood::ClaimsAnsweredLate(ms) = self.mood() {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        claimed
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.asked.renewals.fetch_add(1, Ordering::Relaxed);
        if self.mood() != Mood::RenewsAlone {
            self.whole().await?;
        }
        let dead = self.part(held.iter().any(|(gid, _)| is_dead(gid))).await;
        let mut answers = Vec::new();
        for one in held {
            if dead && is_dead(&one.0) {
                answers.push(Held::Unknown);
            } else {
                answers.extend(self.store.renew(std::slice::from_ref(one), lasts).await?);
            }
        }
        Ok(answers)
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.whole().await?;
        self.store.list(query).await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.whole().await?;
        self.store.purge(ended_before, limit).await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.asked.pings.fetch_add(1, Ordering::Relaxed);
        self.whole().await?;
        if self.mood() == Mood::PingsRefused {
            return Err(refusal());
        }
        tokio::task::yield_now().await;
        self.store.ping().await
    }

    fn limits(&self) -> StoreLimits {
        StoreLimits {
            batches_in_flight_max: 4,
            ..StoreLimits::default()
        }
    }
}

struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
