//! What all drivers and tasks of one engine share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seata_core::{Gid, UnixMillis};
use seata_store::record::{self, ReadError};
use seata_store::{
    Append, AppendOutcome, LeaseChange, Revision, Status, StoreError, StoreErrorKind, Stored,
    TxnStore,
};
use tokio::sync::{Semaphore, broadcast};

use crate::caller::Caller;
use crate::config::Config;
use crate::driver;
use crate::ended::Ended;
use crate::error::EngineError;
use crate::host::Clock;
use crate::journal::{Journal, is_lost};
use crate::looking::Lookers;
use crate::mailbox::{Handle, Message};
use crate::meters::Meters;
use crate::outage::Outage;
use crate::panics;
use crate::pinging::Pinging;
use crate::registry::{Posted, Registry};
use crate::snapshot::Snapshot;
use crate::stopping::Stopping;
use crate::telling::Moved;
use crate::time::StoreTime;
use crate::unsettled::Unsettled;
use crate::waiters::Waiters;
use crate::watch::Change;

/// How long a client should wait before it tries again.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The most drivers that ask again at a time after the store failed them: thousands may wait for its return.
pub(crate) const RETRIES_IN_FLIGHT_MAX: usize = 32;

/// How often the store's time is asked at once, until an answer comes in time.
const TIME_TRIES_MAX: u32 = 3;

/// How late the store's time may be told without another question: less than any lease or time limit of a call.
const TIME_TAKES_MAX: Duration = Duration::from_millis(100);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn TxnStore>,
    pub(crate) caller: Arc<dyn Caller>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) time: StoreTime,
    pub(crate) journal: Arc<Journal>,
    pub(crate) registry: Registry,
    pub(crate) ended: Ended,
    pub(crate) waiters: Waiters,
    pub(crate) lookers: Lookers,
    pub(crate) changes: broadcast::Sender<Change>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) unsettled: Unsettled,
    pub(crate) store_full: AtomicBool,
    pub(crate) stopping: Stopping,
    pub(crate) outage: Arc<Outage>,
    pub(crate) pinging: Pinging,
    pub(crate) retries: Semaphore,
}

impl Drop for Shared {
    /// Nobody can append any more: the journal ends, and lets go of the store.
    fn drop(&mut self) {
        self.journal.close();
        self.outage.wake_probe();
    }
}

impl Shared {
    pub(crate) fn boot(&self) -> Duration {
        self.clock.boot()
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.time.at(self.boot())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.has_begun()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.store_full.load(Ordering::Relaxed)
    }

    /// Bounds one question to the store by the time that the engine gives it. A panic is no answer.
    pub(crate) async fn ask<T>(
        &self,
        doing: &'static str,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.ask_of_leases(doing, question).await;
        if answer.is_ok() {
            self.outage.note(&answer, self.boot());
        }
        answer
    }

    /// As [`Shared::ask`], but an answer doesn't tell that the store is there: the embedded one has its leases in memory,
    /// and keeps them while its disk says nothing.
    pub(crate) async fn ask_of_leases<T>(
        &self,
        doing: &'static str,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let unanswered = |why| StoreError::new(StoreErrorKind::Unavailable, doing, why);
        let question = panics::survive(doing, question);
        let answer = match tokio::time::timeout(self.config.store_timeout, question).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(unanswered("the store's adapter panicked")),
            Err(_) => Err(unanswered("no answer from the store in time")),
        };
        if let Err(error) = &answer {
            self.outage.note(&answer, self.boot());
            self.meters.store_error(error.kind);
        }
        answer
    }

    /// Refuses a request at once while the store is known to be away.
    pub(crate) fn require_store(&self) -> Result<(), EngineError> {
        if self.outage.admits(self.boot()) {
            Ok(())
        } else {
            Err(EngineError::StoreUnavailable {
                retry_after: RETRY_AFTER,
            })
        }
    }

    /// Asks the store for its time and goes by it from now on. An answer that was too long on its way is not taken: this
    /// process may have stood still meanwhile, and would be late by as much. One that was long on its way is taken for
    /// want of a better one, for which the store is asked again.
    pub(crate) async fn learn_time(&self) -> Result<(), StoreError> {
        const DOING: &str = "asking the store's time";
        let mut learnt = false;
        for _ in 0..TIME_TRIES_MAX {
            let sent_at = self.boot();
            let time = match self.ask(DOING, self.store.ping()).await {
                Err(error) if !learnt => return Err(error),
                Err(_) => break,
                Ok(time) => time,
            };
            let arrived_at = self.boot();
            let took = arrived_at.saturating_sub(sent_at);
            if took <= self.config.store_timeout {
                self.time.set(time, arrived_at, took);
                learnt = true;
            }
            if took <= TIME_TAKES_MAX {
                break;
            }
        }
        if learnt {
            return Ok(());
        }
        Err(StoreError::new(
            StoreErrorKind::Unavailable,
            DOING,
            "its answers were too long on their way",
        ))
    }

    pub(crate) async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.ask("loading a transaction", self.store.load(gid))
            .await
    }

    /// Gives a message to the driver of this gid, and runs a new one if there is none. Answers what is full if
    /// there is no room for it.
    pub(crate) fn post(self: &Arc<Self>, gid: &Gid, message: Message) -> Result<(), &'static str> {
        match self.registry.post(gid, message) {
            Posted::Delivered => Ok(()),
            Posted::Full(what) => Err(what),
            Posted::New(handle) => {
                self.meters.active.increment(1.0);
                self.clock
                    .spawn(Box::pin(driver::run(Arc::clone(self), gid.clone(), handle)));
                Ok(())
            }
        }
    }

    pub(crate) fn forget(&self, gid: &Gid, handle: &Arc<Handle>) {
        self.registry.forget(gid, handle);
        self.meters.active.decrement(1.0);
    }

    /// Tells watchers and waiting clients of an append.
    pub(crate) fn publish(&self, snapshot: &Snapshot) {
        let header = &snapshot.header;
        tracing::debug!(gid = %header.gid, status = %header.status, revision = header.revision.0, "recorded");
        if self.changes.receiver_count() > 0 {
            // Nobody may be listening any more: that is no error.
            drop(self.changes.send(Change {
                gid: header.gid.clone(),
                mode: header.mode,
                status: header.status,
                revision: header.revision,
                last_event: snapshot.transaction.last_event(),
            }));
        }
        if header.revision == Revision(1) {
            // Its name was used before, and that record is purged.
            self.ended.forget(&header.gid);
        }
        if (header.status.is_final() || header.status == Status::Stuck)
            && let Some(waiting) = self.waiters.of(&header.gid)
        {
            if header.status.is_final() {
                self.ended.keep(snapshot.clone(), self.now());
            }
            waiting.notify_waiters();
        }
    }

    /// Sets one record aside that can't be driven: marks it STUCK without looking into it, so that it isn't claimed
    /// again and again. A record newer than this server is given back instead.
    pub(crate) async fn set_aside(&self, stored: &Stored, error: &ReadError) {
        let header = &stored.header;
        let now = self.now();
        let (status, wake_at) = match error {
            ReadError::Newer { .. } => (header.status, Some(now.plus(self.config.lease))),
            ReadError::Damaged { .. } | ReadError::Unfoldable(_) => (Status::Stuck, None),
        };
        tracing::error!(gid = %header.gid, revision = header.revision.0, %error, "a record can't be driven by this server");
        if let Err(error) = self.mark(stored, status, wake_at, now).await {
            tracing::error!(gid = %header.gid, %error, "a record could not be set aside");
        }
    }

    /// Marks a transaction STUCK whose driver broke an invariant.
    pub(crate) async fn isolate(&self, gid: &Gid) {
        tracing::error!(%gid, "a broken invariant: the transaction is set aside as STUCK; the other ones go on");
        match self.load(gid).await {
            Ok(Some(stored)) if !stored.header.status.is_final() => {
                let now = self.now();
                if let Err(error) = self.mark(&stored, Status::Stuck, None, now).await {
                    tracing::error!(%gid, %error, "a broken transaction could not be set aside");
                }
            }
            Ok(Some(_) | None) => {}
            Err(error) => {
                tracing::error!(%gid, %error, "a broken transaction could not be set aside")
            }
        }
    }

    /// Gives the lease of a claim back, with the record as it is.
    pub(crate) async fn give_back(&self, stored: &Stored) -> Result<(), StoreError> {
        let header = &stored.header;
        let now = self.now();
        self.mark(stored, header.status, header.wake_at, now).await
    }

    /// Releases the lease and says how the record stands. Whoever else wrote meanwhile looks at it himself.
    async fn mark(
        &self,
        stored: &Stored,
        status: Status,
        wake_at: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<(), StoreError> {
        let header = &stored.header;
        let append = Append {
            status,
            wake_at,
            lease: LeaseChange::Release,
            at: now,
            ..Append::to(header)
        };
        let moved = Moved::by(&append, Some(header), now);
        let answer = self.journal.append(append, self.boot()).await;
        match (&answer, moved) {
            (Ok(AppendOutcome::Applied(_)), Ok(moved)) => self.tell(&moved),
            (answer, Ok(moved)) if is_lost(answer) => self.doubt(moved),
            (_, _) => {}
        }
        answer.map(drop)
    }
}

/// Reads what is stored.
pub(crate) fn read(stored: &Stored) -> Result<Snapshot, ReadError> {
    let (transaction, _) = record::transaction(stored)?;
    Ok(Snapshot {
        transaction: Arc::new(transaction),
        header: stored.header.clone(),
    })
}

/// Says what a client is told when the store failed.
pub(crate) fn store_failed(error: &StoreError, gid: Option<&Gid>) -> EngineError {
    match (error.kind, gid) {
        (StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous, _)
        | (StoreErrorKind::Corrupt, None) => EngineError::StoreUnavailable {
            retry_after: RETRY_AFTER,
        },
        (StoreErrorKind::Corrupt, Some(gid)) => EngineError::Unreadable { gid: gid.clone() },
        (StoreErrorKind::Invalid, _) => EngineError::TooLarge,
    }
}
