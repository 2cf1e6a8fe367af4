//! The engine's door: what transports call.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{BranchDefinition, Definition, Event, Gid, Reason, UnixMillis};
use seata_store::{Header, ListQuery, Page, TxnStore};

use crate::caller::Caller;
use crate::config::Config;
use crate::error::EngineError;
use crate::host::Clock;
use crate::snapshot::{Order, Snapshot, Waited};
use crate::watch::Changes;

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

/// Drives transactions. Cheap to clone: all clones are one engine.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Starts: asks the store for its time, then goes on with whatever is due, in batches and in parallel.
    ///
    /// # Errors
    /// The store can't be reached.
    pub async fn start(
        store: Arc<dyn TxnStore>,
        caller: Arc<dyn Caller>,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self, EngineError> {
        unimplemented!("{:?}", (store.limits(), 0, clock.boot(), config))
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
        unimplemented!("{gid}{definition:?}")
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
        unimplemented!("{gid}{branch:?}")
    }
    /// Submits. Again: answers the state as it is.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn submit(&self, gid: Gid) -> Result<Snapshot, EngineError> {
        unimplemented!("{gid}")
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
        unimplemented!("{gid}{definition:?}")
    }
    /// Aborts. Answers once the decision is durable.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn abort(&self, gid: Gid, reason: Reason) -> Result<Snapshot, EngineError> {
        unimplemented!("{gid}{reason}")
    }
    /// Takes an operator's order.
    ///
    /// # Errors
    /// As [`Engine::add_branch`].
    pub async fn order(&self, gid: Gid, order: Order) -> Result<Snapshot, EngineError> {
        unimplemented!("{gid}{order:?}")
    }
    /// Waits until the transaction has ended or is stuck, at most so long.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Overloaded`] beyond `waiters_max`, or the store.
    pub async fn wait(&self, gid: Gid, at_most: Duration) -> Result<Waited, EngineError> {
        unimplemented!("{gid}{at_most:?}")
    }
    /// Answers a transaction as of its last append.
    ///
    /// # Errors
    /// [`EngineError::NotFound`], [`EngineError::Unreadable`], or the store.
    pub async fn get(&self, gid: &Gid) -> Result<Snapshot, EngineError> {
        unimplemented!("{gid}")
    }
    /// Answers a transaction and its history.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn history(&self, gid: &Gid) -> Result<(Snapshot, Vec<Event>), EngineError> {
        unimplemented!("{gid}")
    }
    /// Lists headers.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, query: &ListQuery) -> Result<Page<Header>, EngineError> {
        unimplemented!("{query:?}")
    }
    /// Follows what this process appends, from now on.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] beyond `watchers_max`.
    pub fn watch(&self) -> Result<Changes, EngineError> {
        unimplemented!()
    }
    /// Asks the store and answers how the engine is.
    pub async fn health(&self) -> Health {
        unimplemented!()
    }
    /// Answers the time, by the store's clock.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        unimplemented!()
    }
    /// Refuses new work that would create transactions (the disk is nearly full), or takes it again. Open ones go on.
    pub fn set_store_full(&self, full: StoreRoom) {
        unimplemented!("{full:?}")
    }
    /// Stops: takes no more requests, lets calls end within `grace`, flushes, and releases all leases.
    pub async fn stop(&self, grace: Duration) {
        unimplemented!("{grace:?}")
    }
}

/// Whether the store has room for new transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreRoom {
    /// It has.
    Enough,
    /// Only for what is open.
    Low,
}
