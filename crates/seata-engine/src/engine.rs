//! The engine's door: what transports call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seata_core::{BranchDefinition, Definition, Event, Gid, Reason, Status, UnixMillis};
use seata_store::{Header, ListQuery, Page, StoreError, Stored, TxnStore, record};
use tokio::sync::{Semaphore, broadcast, oneshot};

use crate::admission::{WAITERS, overloaded};
use crate::caller::Caller;
use crate::config::Config;
use crate::ended::Ended;
use crate::error::EngineError;
use crate::host::Clock;
use crate::journal::Journal;
use crate::looking::Lookers;
use crate::mailbox::{Ask, Asked, Message, Submission};
use crate::meters::Meters;
use crate::outage::Outage;
use crate::pinging::{self, Pinging};
use crate::registry::Registry;
use crate::shared::{RETRIES_IN_FLIGHT_MAX, RETRY_AFTER, Shared, read, store_failed};
use crate::snapshot::{Order, Snapshot, Waited};
use crate::stopping::Stopping;
use crate::tasks;
use crate::time::StoreTime;
use crate::unsettled::Unsettled;
use crate::waiters::Waiters;
use crate::watch::Changes;
use crate::weight::Scale;

/// How often a transaction that is driven here is looked at, should its driver end without a word.
const LOOK_DRIVEN: Duration = Duration::from_secs(2);

/// How much longer than one question to the store an answer to a request may take while the store fails.
const ANSWER_SLACK: Duration = Duration::from_millis(250);

/// What a driver answers, and the place where it comes.
pub(crate) type Told = Result<Snapshot, EngineError>;
pub(crate) type Answer = oneshot::Receiver<Told>;

/// How often a stop looks whether all drivers have ended.
const STOP_LOOK: Duration = Duration::from_millis(10);

/// How the engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the store answered just now.
    pub store: bool,
    /// Whether the engine takes new work.
    pub accepting: bool,
    /// Transactions in memory.
    pub active: usize,
}

/// Whether the store has room for new transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreRoom {
    /// It has.
    Enough,
    /// Only for what is open.
    Low,
}

/// Drives transactions. Cheap to clone: all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

impl Engine {
    /// Starts: asks the store for its time, then goes on with whatever is due, in batches and in parallel.
    ///
    /// # Errors
    /// The store didn't answer within [`Config::store_timeout`]: whoever starts a server ends it, and its supervisor
    /// tries again.
    pub async fn start(
        store: Arc<dyn TxnStore>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, StoreError> {
        let outage = Arc::<Outage>::default();
        let meters = Arc::new(Meters::new());
        let shared = Arc::new(Shared {
            journal: Arc::new(Journal::new(
                store.limits(),
                Scale::new(meters.journal_bytes.clone()),
                Arc::clone(&outage),
            )),
            store,
            caller,
            clock,
            time: StoreTime::default(),
            registry: Registry::new(&config, || Scale::new(meters.active_bytes.clone())),
            ended: Ended::new(config.ended_kept_max, config.ended_kept()),
            waiters: Waiters::new(config.waiters_max),
            lookers: Lookers::default(),
            changes: broadcast::Sender::new(config.changes_kept_max),
            unsettled: Unsettled::new(meters.stuck.clone()),
            meters,
            store_full: AtomicBool::new(false),
            stopping: Stopping::default(),
            outage,
            pinging: Pinging::default(),
            retries: Semaphore::new(RETRIES_IN_FLIGHT_MAX),
            config,
        });
        shared.learn_time().await?;
        tasks::start(&shared);
        Ok(Self { shared })
    }

    /// Creates a transaction that is not submitted yet. The same content again answers the state as it is.
    ///
    /// # Errors
    /// [`EngineError::GidConflict`], a rejection, a full bound, or the store.
    pub async fn begin(
        &self,
        gid: Gid,
        definition: Arc<Definition>,
    ) -> Result<Snapshot, EngineError> {
        self.create(gid, definition, Submission::Later).await
    }

    /// Creates and submits a whole transaction with one append. The same content again submits what was only prepared,
    /// and else answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::begin`].
    pub async fn run(
        &self,
        gid: Gid,
        definition: Arc<Definition>,
    ) -> Result<Snapshot, EngineError> {
        self.create(gid, definition, Submission::Now).await
    }

    async fn create(
        &self,
        gid: Gid,
        definition: Arc<Definition>,
        submission: Submission,
    ) -> Result<Snapshot, EngineError> {
        // What is known already is answered as ever: it needs no room, or room that open work is left.
        if self.shared.is_full()
            && matches!(self.get(&gid).await, Err(EngineError::NotFound { .. }))
        {
            return Err(EngineError::StoreFull);
        }
        self.ask(
            gid,
            Asked::Create {
                definition,
                submission,
            },
        )
        .await
    }

    /// Adds a branch. The same content again answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::begin`]; [`EngineError::NotFound`].
    pub async fn add_branch(
        &self,
        gid: Gid,
        branch: Arc<BranchDefinition>,
    ) -> Result<Snapshot, EngineError> {
        self.ask(gid, Asked::AddBranch(branch)).await
    }

    /// Submits. Again: answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn submit(&self, gid: Gid) -> Result<Snapshot, EngineError> {
        self.ask(gid, Asked::Submit).await
    }

    /// Aborts. Answers once the decision is durable, by whichever server drives the transaction.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn abort(&self, gid: Gid, reason: Reason) -> Result<Snapshot, EngineError> {
        let snapshot = self.ask(gid.clone(), Asked::Abort { reason }).await?;
        self.decided(&gid, snapshot).await
    }

    /// Waits until the decision to abort is durable, by whichever server drives the transaction.
    pub(crate) async fn decided(
        &self,
        gid: &Gid,
        mut snapshot: Snapshot,
    ) -> Result<Snapshot, EngineError> {
        let give_up_at = self.shared.boot() + self.shared.config.lease * 2;
        let mut looks = self.shared.lookers.begin();
        while is_undecided(snapshot.status()) {
            if self.shared.boot() >= give_up_at {
                return Err(EngineError::StoreUnavailable {
                    retry_after: RETRY_AFTER,
                });
            }
            tokio::time::sleep(looks.pause()).await;
            snapshot = self.get(gid).await?;
        }
        Ok(snapshot)
    }

    /// Takes an operator's order. It is durable when this answers; whoever drives the transaction carries it out.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn order(&self, gid: Gid, order: Order) -> Result<Snapshot, EngineError> {
        self.ask(gid, Asked::Order(order)).await
    }

    pub(crate) async fn ask(&self, gid: Gid, asked: Asked) -> Result<Snapshot, EngineError> {
        let answer = self.post(&gid, asked)?;
        let at_most = self.shared.config.store_timeout * 2 + ANSWER_SLACK;
        match self.heard(answer, at_most, Outage::is_doubted).await {
            // A driver that broke an invariant answers nothing.
            Some(heard) => heard.unwrap_or(Err(EngineError::Unreadable { gid })),
            // The store answers, and slowly: what was asked may still be done.
            None => Err(EngineError::StoreUnavailable {
                retry_after: RETRY_AFTER,
            }),
        }
    }

    /// Waits for a driver's answer, at most so long. One that waits for the store may have several questions to it before
    /// it; whoever asked is told after the time for one of them if the store is failing then.
    pub(crate) async fn heard(
        &self,
        mut answer: Answer,
        at_most: Duration,
        fails: fn(&Outage) -> bool,
    ) -> Option<Result<Told, oneshot::error::RecvError>> {
        let give_up_at = self.shared.boot() + at_most;
        let mut patience = self.shared.config.store_timeout + ANSWER_SLACK;
        loop {
            let left = give_up_at.saturating_sub(self.shared.boot());
            match tokio::time::timeout(patience.min(left), &mut answer).await {
                Ok(told) => return Some(told),
                Err(_) if fails(&self.shared.outage) => {
                    return Some(Ok(Err(EngineError::StoreUnavailable {
                        retry_after: RETRY_AFTER,
                    })));
                }
                Err(_) if left <= patience => return None,
                Err(_) => patience = ANSWER_SLACK,
            }
        }
    }

    /// Puts a question to the driver of this gid.
    pub(crate) fn post(&self, gid: &Gid, asked: Asked) -> Result<Answer, EngineError> {
        if self.shared.is_stopping() {
            return Err(EngineError::Stopping);
        }
        self.shared.require_store()?;
        self.shared.admit(&asked)?;
        let (reply, answer) = oneshot::channel();
        let ask = Message::Ask(Ask::new(asked, reply, self.shared.boot()));
        self.shared.post(gid, ask).map_err(overloaded)?;
        Ok(answer)
    }

    /// Waits until the transaction has ended or is stuck, at most so long.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Overloaded`] beyond `waiters_max`, or the store.
    pub async fn wait(&self, gid: Gid, at_most: Duration) -> Result<Waited, EngineError> {
        let until = self.shared.boot() + at_most;
        let known = self.get(&gid).await?;
        let left = until.saturating_sub(self.shared.boot());
        self.wait_after(known, left).await
    }

    /// Waits like [`Engine::wait`], from a snapshot on: while it is the last one and is driven here, the store is not
    /// asked.
    ///
    /// # Errors
    /// As [`Engine::wait`].
    pub async fn wait_after(
        &self,
        mut known: Snapshot,
        at_most: Duration,
    ) -> Result<Waited, EngineError> {
        let gid = known.header.gid.clone();
        let Some(place) = self.shared.waiters.enter(&gid) else {
            return Err(overloaded(WAITERS));
        };
        let until = self.shared.boot() + at_most;
        // Looks only while it is driven elsewhere.
        let mut looks = None;
        loop {
            let settled = place.settled().notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            let left = until.saturating_sub(self.shared.boot());
            let over = left.is_zero() || self.shared.is_stopping();
            // Whoever drives here notes each append before he tells of it, so that none is missed behind `enable`.
            let driven_here = self.shared.registry.get(&gid).is_some_and(|handle| {
                handle.lease.held().is_some() && !handle.knows_newer(known.header.revision)
            });
            if !is_settled(known.status()) && (over || !driven_here) {
                known = self.get(&gid).await?;
            }
            if is_settled(known.status()) {
                return Ok(Waited::Settled(known));
            }
            if over {
                return Ok(Waited::Pending(known));
            }
            // What is driven here tells when it ends; what is driven elsewhere must be looked at.
            let look = if driven_here {
                looks = None;
                LOOK_DRIVEN
            } else {
                looks
                    .get_or_insert_with(|| self.shared.lookers.begin())
                    .pause()
            };
            tokio::select! {
                biased;
                () = settled => {}
                () = self.shared.stopping.begun() => {}
                () = tokio::time::sleep(look.min(left)) => {}
            }
        }
    }

    /// Answers a transaction as of its last append.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Unreadable`], or the store.
    pub async fn get(&self, gid: &Gid) -> Result<Snapshot, EngineError> {
        if let Some(ended) = self.shared.ended.get(gid, self.shared.now()) {
            return Ok(ended);
        }
        let stored = self.load(gid).await?;
        let snapshot = read(&stored).map_err(|_| EngineError::Unreadable { gid: gid.clone() })?;
        if snapshot.status().is_final() {
            self.shared.ended.keep(snapshot.clone(), self.shared.now());
            return Ok(snapshot);
        }
        Ok(self.with_flights(snapshot))
    }

    /// Answers a transaction and its history.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn history(&self, gid: &Gid) -> Result<(Snapshot, Vec<Event>), EngineError> {
        let stored = self.load(gid).await?;
        let (transaction, events) = record::transaction(&stored)
            .map_err(|_| EngineError::Unreadable { gid: gid.clone() })?;
        let snapshot = Snapshot {
            transaction: Arc::new(transaction),
            header: stored.header,
        };
        Ok((self.with_flights(snapshot), events))
    }

    async fn load(&self, gid: &Gid) -> Result<Stored, EngineError> {
        self.shared.require_store()?;
        let stored = self
            .shared
            .load(gid)
            .await
            .map_err(|error| store_failed(&error, Some(gid)))?;
        let stored = stored.ok_or_else(|| EngineError::NotFound { gid: gid.clone() })?;
        self.note_takeover(&stored.header);
        Ok(stored)
    }

    /// Tells a driver that believes in its lease that the record shows another server's: the store's clock may have jumped,
    /// and its next call would come after what that one has done. A claim of this process's own tells him itself.
    fn note_takeover(&self, header: &Header) {
        if header.owner == Some(self.shared.config.owner) {
            return;
        }
        if let Some(handle) = self.shared.registry.get(&header.gid)
            && let Some(held) = handle.lease.held()
            && held.token < header.token
            && handle.lease.lost(held.token)
        {
            // A driver that has ended meanwhile needs no news.
            drop(handle.send(Message::Look));
        }
    }

    fn with_flights(&self, mut snapshot: Snapshot) -> Snapshot {
        if let Some(handle) = self.shared.registry.get(&snapshot.header.gid) {
            handle.note_flights(Arc::make_mut(&mut snapshot.transaction));
        }
        snapshot
    }

    /// Lists headers.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, query: &ListQuery) -> Result<Page<Header>, EngineError> {
        self.shared.require_store()?;
        let page = self
            .shared
            .ask("listing transactions", self.shared.store.list(query))
            .await;
        page.map_err(|error| {
            tracing::debug!(%error, "a page of the list was not answered");
            store_failed(&error, None)
        })
    }

    /// Follows what this process appends, from now on.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] beyond `watchers_max`.
    pub fn watch(&self) -> Result<Changes, EngineError> {
        if self.shared.changes.receiver_count() >= self.shared.config.watchers_max {
            return Err(overloaded("the room for watchers"));
        }
        Ok(Changes {
            receiver: self.shared.changes.subscribe(),
        })
    }

    /// Asks the store and answers how the engine is, within [`Config::store_timeout`]. Those who ask at the same time
    /// share one question; while the store is known to be away it is not asked for them.
    pub async fn health(&self) -> Health {
        let store = !self.shared.outage.is_away() && pinging::answers(&self.shared).await;
        let accepting = !self.shared.is_stopping() && !self.shared.is_full();
        Health {
            store,
            accepting,
            active: self.shared.registry.len(),
        }
    }

    /// Answers the time, by the store's clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.shared.now()
    }

    /// Refuses new transactions while the store is nearly full, or takes them again. Open ones go on.
    pub fn set_store_room(&self, room: StoreRoom) {
        self.shared
            .store_full
            .store(room == StoreRoom::Low, Ordering::Relaxed);
    }

    /// Stops: takes no more requests, lets calls end within `grace`, flushes, and releases all leases. What can't be
    /// handed over in time goes on when its lease has ended: while the store is away nobody waits for it beyond `grace`.
    pub async fn stop(&self, grace: Duration) {
        let at = self.shared.stopping.begin(self.shared.boot() + grace);
        for (_, handle) in self.shared.registry.all() {
            // One that has ended meanwhile has nothing to hand over.
            drop(handle.send(Message::Stop { at }));
        }
        let give_up_at = at + self.shared.config.store_timeout * 2;
        while !self.is_handed_over() && self.shared.boot() < give_up_at {
            if self.shared.boot() >= at && self.shared.outage.is_away() {
                break;
            }
            tokio::time::sleep(STOP_LOOK).await;
        }
        let left = self.shared.registry.len();
        if left > 0 {
            tracing::warn!(
                left,
                "stopped before all transactions were handed over; they go on when their leases end"
            );
        }
    }

    /// Answers whether a stop is done. What the last claim brings makes drivers: so it is asked for first.
    fn is_handed_over(&self) -> bool {
        self.shared.stopping.have_claims_ended() && self.shared.registry.len() == 0
    }
}

fn is_settled(status: Status) -> bool {
    status.is_final() || status == Status::Stuck
}

fn is_undecided(status: Status) -> bool {
    match status {
        Status::Prepared | Status::Submitted => true,
        Status::Aborting | Status::Committed | Status::Aborted | Status::Stuck => false,
    }
}
