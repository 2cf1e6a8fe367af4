//! How a coordinator is asked. A transport makes one attempt and says what became of it; what is asked, and what is sent
//! again, is decided above.

pub(crate) mod answers;
pub(crate) mod connection;
#[cfg(feature = "grpc")]
pub(crate) mod grpc;
pub(crate) mod http;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Error;
use crate::feed::Told;
use crate::gid::Gid;
use crate::requests::{
    BranchRequest, Change, FeedQuery, ListQuery, Order, Settle, Settled, TransactionRequest, Tried,
};
use crate::view::{Event, Page, Transaction};

/// The events of a transaction, from one connection. It ends when the connection does.
pub(crate) type Events = BoxStream<'static, Result<Event, Error>>;

/// The changes of all transactions, from one connection.
pub(crate) type Changes = BoxStream<'static, Result<Told, Error>>;

/// One wire.
#[async_trait]
pub(crate) trait Transport: Send + Sync {
    async fn start(&self, request: &TransactionRequest) -> Result<(), Error>;
    async fn settle(&self, settle: &Settle, wait: Option<Duration>) -> Result<Settled, Error>;
    async fn change(&self, gid: &Gid, change: &Change) -> Result<(), Error>;
    /// Asks for a try, whose call by the coordinator may last so long.
    async fn try_branch(
        &self,
        gid: &Gid,
        branch: &BranchRequest,
        call_timeout: Duration,
    ) -> Result<Tried, Error>;
    async fn order(&self, gid: &Gid, order: &Order) -> Result<Transaction, Error>;
    async fn get(&self, gid: &Gid) -> Result<Transaction, Error>;
    async fn events(&self, gid: &Gid) -> Result<Vec<Event>, Error>;
    async fn list(&self, query: &ListQuery) -> Result<Page, Error>;
    async fn watch(&self, gid: &Gid, after: Option<u64>) -> Result<Events, Error>;
    async fn watch_all(&self, query: &FeedQuery) -> Result<Changes, Error>;
}
