//! The doors that transports knock at, over one engine.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{Event, Gid, Reason, UnixMillis};
use seata_engine::{Engine, Order, Snapshot};
use tokio::sync::watch;

use crate::problem::Problem;
use crate::refused;
use crate::resolve::{AddedBranch, Submission, Whole};
use crate::rules::Rules;
use crate::settle::{Settled, settle};
use crate::store::StoreFacts;
use crate::view::{self, TransactionView};

/// Whether clients may stay as long as they like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Serving,
    Stopping,
}

/// The service over one engine: what is asked was checked, what goes wrong comes back as a [`Problem`]. Cheap to clone:
/// all clones are one service.
#[derive(Clone)]
pub struct Service {
    engine: Engine,
    rules: Arc<Rules>,
    store: StoreFacts,
    life: watch::Sender<Life>,
}

impl Service {
    /// Makes the service.
    #[must_use]
    pub fn new(engine: Engine, rules: Rules) -> Self {
        Self {
            engine,
            rules: Arc::new(rules),
            store: StoreFacts::default(),
            life: watch::Sender::new(Life::Serving),
        }
    }

    /// Takes what is to be told of the store; without it, only whether it answers is.
    #[must_use]
    pub fn with_store(mut self, store: StoreFacts) -> Self {
        self.store = store;
        self
    }

    pub(crate) const fn store_facts(&self) -> &StoreFacts {
        &self.store
    }

    /// Ends what would never end by itself: whoever follows a transaction is let go, so that the transports can drain.
    pub fn stop(&self) {
        self.life.send_replace(Life::Stopping);
    }

    /// Answers whether the service was told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.life.borrow() == Life::Stopping
    }

    /// Tells who follows a transaction of the stop.
    pub(crate) fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Answers the engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Answers what requests are checked against.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Answers the time, by the store's clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        self.engine.now()
    }

    /// Begins a transaction that is not submitted yet.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn start(&self, whole: Whole) -> Result<Snapshot, Problem> {
        let definition = Arc::clone(&whole.definition);
        let begun = self.engine.begin(whole.gid.clone(), definition).await;
        begun.map_err(|error| refused::whole(error, &whole))
    }

    /// Adds a branch to a transaction that is not submitted yet.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn add_branch(&self, added: AddedBranch) -> Result<Snapshot, Problem> {
        let AddedBranch { gid, branch } = added;
        let snapshot = self.engine.add_branch(gid.clone(), branch).await;
        snapshot.map_err(|error| refused::added(error).of(&gid))
    }

    /// Submits. The answer means that the decision is durable.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn submit(&self, submission: Submission) -> Result<Snapshot, Problem> {
        match submission {
            Submission::ByGid(gid) => {
                let submitted = self.engine.submit(gid.clone()).await;
                submitted.map_err(|error| Problem::from(error).of(&gid))
            }
            Submission::Whole(whole) => {
                let definition = Arc::clone(&whole.definition);
                let submitted = self.engine.run(whole.gid.clone(), definition).await;
                submitted.map_err(|error| refused::whole(error, &whole))
            }
        }
    }

    /// Aborts. The answer means that the decision is durable.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn abort(&self, gid: Gid, reason: Reason) -> Result<Snapshot, Problem> {
        let aborted = self.engine.abort(gid.clone(), reason).await;
        aborted.map_err(|error| Problem::from(error).of(&gid))
    }

    /// Looks at a decision that is durable: at once, or for a client that waits, when the transaction has ended.
    ///
    /// # Errors
    /// The record is gone or can't be read; that nobody can wait is none.
    pub async fn settle(
        &self,
        decided: Snapshot,
        wait: Option<Duration>,
    ) -> Result<Settled, Problem> {
        settle(&self.engine, decided, wait).await
    }

    /// Takes an operator's order.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn order(&self, gid: Gid, order: Order) -> Result<Snapshot, Problem> {
        let ordered = self.engine.order(gid.clone(), order).await;
        ordered.map_err(|error| Problem::from(error).of(&gid))
    }

    /// Answers a transaction.
    ///
    /// # Errors
    /// There is none, it can't be read, or the store does not answer.
    pub async fn get(&self, gid: &Gid) -> Result<Snapshot, Problem> {
        let snapshot = self.engine.get(gid).await;
        snapshot.map_err(|error| Problem::of_reading(error).of(gid))
    }

    /// Answers a transaction and its history.
    ///
    /// # Errors
    /// As [`Service::get`].
    pub async fn history(&self, gid: &Gid) -> Result<(Snapshot, Vec<Event>), Problem> {
        let history = self.engine.history(gid).await;
        history.map_err(|error| Problem::of_reading(error).of(gid))
    }

    /// Answers a snapshot as everyone may see it.
    #[must_use]
    pub fn view<'a>(&self, snapshot: &'a Snapshot) -> TransactionView<'a> {
        view::transaction(snapshot, self.now())
    }
}
