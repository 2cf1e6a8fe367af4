//! A store that fails on order, as real ones do by themselves.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis,
};

/// What becomes of a batch of appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFault {
    /// Nothing goes wrong.
    None,
    /// Surely not applied, and said so.
    Unavailable,
    /// Applied; the reply is lost.
    LostReply,
    /// The reply is lost, and the batch is applied at [`FaultyStore::release_late`], on its own conditions as ever.
    AppliesLate,
    /// Not applied, and never answered.
    Hang,
    /// Applied, and never answered.
    HangAfter,
}

/// What becomes of any other call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherFault {
    /// Nothing goes wrong.
    None,
    /// The store can't be reached.
    Unavailable,
    /// Never answered.
    Hang,
    /// Done, and never answered: a claim whose reply is lost.
    HangAfter,
}

/// Which other call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreCall {
    /// `load`
    Load,
    /// `claim_due`
    ClaimDue,
    /// `renew`
    Renew,
    /// `list`
    List,
    /// `purge`
    Purge,
    /// `ping`
    Ping,
}

/// Decides what goes wrong.
pub trait Faults: Send + Sync + 'static {
    /// Is asked once per batch, before it is applied.
    fn on_append(&self, batch: &[Append]) -> AppendFault;

    /// Is asked once per other call, before it is made.
    fn on_other(&self, call: StoreCall) -> OtherFault;
}

/// Wraps a store: one coordinator's way to it.
pub struct FaultyStore<S> {
    store: S,
    faults: Arc<dyn Faults>,
    late: Arc<Mutex<Vec<Vec<Append>>>>,
}

impl<S: TxnStore> FaultyStore<S> {
    /// Wraps a store.
    #[must_use]
    pub fn new(store: S, faults: Arc<dyn Faults>) -> Self {
        Self {
            store,
            faults,
            late: Arc::default(),
        }
    }

    /// Applies what was held back. Answers how many appends took effect.
    pub async fn release_late(&self) -> usize {
        let batches =
            std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        let mut applied = 0;
        for batch in batches {
            let answers = self.store.append(batch).await;
            applied += answers
                .iter()
                .filter(|answer| matches!(answer, Ok(AppendOutcome::Applied(_))))
                .count();
        }
        applied
    }

    async fn pass<T>(
        &self,
        call: StoreCall,
        doing: &'static str,
        question: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.faults.on_other(call) {
            OtherFault::None => question.await,
            OtherFault::Unavailable => Err(StoreError::new(
                StoreErrorKind::Unavailable,
                doing,
                "injected",
            )),
            OtherFault::Hang => std::future::pending().await,
            OtherFault::HangAfter => {
                drop(question.await);
                std::future::pending().await
            }
        }
    }
}

fn all<T>(count: usize, kind: StoreErrorKind) -> Vec<Result<T, StoreError>> {
    (0..count)
        .map(|_| Err(StoreError::new(kind, "appending", "injected")))
        .collect()
}

#[async_trait]
impl<S: TxnStore> TxnStore for FaultyStore<S> {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        match self.faults.on_append(&batch) {
            AppendFault::None => self.store.append(batch).await,
            AppendFault::Unavailable => all(count, StoreErrorKind::Unavailable),
            AppendFault::LostReply => {
                drop(self.store.append(batch).await);
                all(count, StoreErrorKind::Ambiguous)
            }
            AppendFault::AppliesLate => {
                self.late
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(batch);
                all(count, StoreErrorKind::Ambiguous)
            }
            AppendFault::Hang => std::future::pending().await,
            AppendFault::HangAfter => {
                drop(self.store.append(batch).await);
                std::future::pending().await
            }
        }
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.pass(StoreCall::Load, "loading", self.store.load(gid))
            .await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.pass(
            StoreCall::ClaimDue,
            "claiming",
            self.store.claim_due(owner, lasts, limit),
        )
        .await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.pass(StoreCall::Renew, "renewing", self.store.renew(held, lasts))
            .await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.pass(StoreCall::List, "listing", self.store.list(query))
            .await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.pass(
            StoreCall::Purge,
            "purging",
            self.store.purge(ended_before, limit),
        )
        .await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.pass(StoreCall::Ping, "pinging", self.store.ping())
            .await
    }

    fn limits(&self) -> StoreLimits {
        self.store.limits()
    }
}
