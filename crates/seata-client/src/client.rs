//! The initiator's way to a coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::end::End;
use crate::error::Error;
use crate::feed::Feed;
use crate::gid::Gid;
use crate::participant::Operation;
use crate::repeat::Repeat;
use crate::requests::{
    BranchRequest, Change, Completed, FeedQuery, ListQuery, Order, OrderKind, Settle, Settled,
    SettledWord, TransactionRequest, Tried, WAIT_MAX, Waited,
};
use crate::saga::Branch;
use crate::transport::Transport;
use crate::transport::http::HttpTransport;
use crate::view::{Event, Page, Transaction};
use crate::watch::Watch;
use crate::words::Status;

/// The first pause between two looks of [`Client::wait`], and the longest.
const LOOK_AGAIN_FIRST: Duration = Duration::from_millis(20);
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(1);

/// How a client runs.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// How often a request is sent again by itself.
    pub repeat: Repeat,
    /// The time limit of one request; what the coordinator is asked to wait comes on top.
    pub request_timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// The most bytes of an answer; a larger one is [`Error::Unreadable`].
    pub answer_bytes_max: usize,
    /// Sent with every request, such as `authorization`.
    pub headers: BTreeMap<String, String>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            repeat: Repeat::default(),
            request_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(2),
            answer_bytes_max: 16 * 1024 * 1024,
            headers: BTreeMap::new(),
        }
    }
}

/// Asks a coordinator. Clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    repeat: Repeat,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client of the coordinator at a URL such as `http://127.0.0.1:36789`. Connects to nobody yet.
    ///
    /// # Errors
    /// The URL is none of `http://` or `https://` with a host.
    pub fn http(url: &str) -> Result<Self, Error> {
        Self::http_with(url, ClientConfig::default())
    }

    /// Makes a client with a configuration of its own.
    ///
    /// # Errors
    /// The URL is none of `http://` or `https://` with a host, or a header is none.
    pub fn http_with(url: &str, config: ClientConfig) -> Result<Self, Error> {
        let repeat = config.repeat;
        let transport = Arc::new(HttpTransport::new(url, &config)?);
        Ok(Self { transport, repeat })
    }

    /// Makes a client of the coordinator's gRPC port at a URL such as `http://127.0.0.1:36790` (`https://` for TLS).
    /// Connects to nobody yet. All but [`Client::watch_all`] is the same as over HTTP.
    ///
    /// # Errors
    /// The URL is none, or TLS can't be used.
    #[cfg(feature = "grpc")]
    pub fn grpc(url: &str) -> Result<Self, Error> {
        Self::grpc_with(url, ClientConfig::default())
    }

    /// Makes a client over gRPC with a configuration of its own; its headers are sent as metadata.
    ///
    /// # Errors
    /// The URL is none, TLS can't be used, or a header is none.
    #[cfg(feature = "grpc")]
    pub fn grpc_with(url: &str, config: ClientConfig) -> Result<Self, Error> {
        let repeat = config.repeat;
        let transport = Arc::new(crate::transport::grpc::GrpcTransport::new(url, &config)?);
        Ok(Self { transport, repeat })
    }

    /// Adds a branch to a saga that was started and not submitted. The same branch again changes nothing.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn add_branch(&self, gid: &Gid, branch: &Branch) -> Result<(), Error> {
        self.change(gid, &Change::Add(branch.request())).await
    }

    /// Submits what was begun, and answers where it stands.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn submit(&self, gid: &Gid) -> Result<Status, Error> {
        self.settle(&Settle::Submit(gid.clone())).await
    }

    /// Submits what was begun, and waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked. That it has not ended in time is no error.
    pub async fn submit_and_wait(&self, gid: &Gid, wait: Duration) -> Result<Waited, Error> {
        self.settle_and_wait(&Settle::Submit(gid.clone()), wait)
            .await
    }

    /// Decides to abort, and answers where it stands.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn abort(&self, gid: &Gid, reason: &str) -> Result<Status, Error> {
        self.settle(&abort(gid, reason)).await
    }

    /// Decides to abort, and waits for the end, at most this long (up to 300 s).
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked. That it has not ended in time is no error.
    pub async fn abort_and_wait(
        &self,
        gid: &Gid,
        reason: &str,
        wait: Duration,
    ) -> Result<Waited, Error> {
        self.settle_and_wait(&abort(gid, reason), wait).await
    }

    /// Shows a transaction.
    ///
    /// # Errors
    /// There is none of this name, or the coordinator can't be asked.
    pub async fn get(&self, gid: &Gid) -> Result<Transaction, Error> {
        self.repeat.run(|| self.transport.get(gid)).await
    }

    /// Shows the history of a transaction, oldest first.
    ///
    /// # Errors
    /// There is none of this name, or the coordinator can't be asked.
    pub async fn events(&self, gid: &Gid) -> Result<Vec<Event>, Error> {
        self.repeat.run(|| self.transport.events(gid)).await
    }

    /// Lists transactions, a page at a time.
    ///
    /// # Errors
    /// The query was refused, or the coordinator can't be asked.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, Error> {
        self.repeat.run(|| self.transport.list(query)).await
    }

    /// Waits until a transaction has ended or is stuck, at most this long. It decides nothing; it looks again and again,
    /// at most once a second. [`Client::watch`] tells more, and sooner.
    ///
    /// # Errors
    /// There is none of this name, or the coordinator can't be asked.
    pub async fn wait(&self, gid: &Gid, wait: Duration) -> Result<Waited, Error> {
        let begun = Instant::now();
        let mut pause = LOOK_AGAIN_FIRST;
        loop {
            let waited = Waited::of(self.get(gid).await?);
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() || !matches!(waited, Waited::Pending(_)) {
                return Ok(waited);
            }
            sleep(pause.min(left)).await;
            pause = (pause * 2).min(LOOK_AGAIN_MAX);
        }
    }

    /// Tells each event of a transaction as it happens, from the beginning of its history, until it has ended.
    #[must_use]
    pub fn watch(&self, gid: &Gid) -> Watch {
        Watch::new(self.clone(), gid.clone(), None)
    }

    /// The same, from behind the event of this number.
    #[must_use]
    pub fn watch_after(&self, gid: &Gid, number: u64) -> Watch {
        Watch::new(self.clone(), gid.clone(), Some(number))
    }

    /// Tells each change that the coordinator's server appends, of all transactions. If several servers share a store,
    /// each tells what it drives itself.
    #[must_use]
    pub fn watch_all(&self, query: FeedQuery) -> Feed {
        Feed::new(self.clone(), query)
    }

    /// Completes an operation from outside: the work of a branch that answered "ongoing" is done.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn succeed(
        &self,
        gid: &Gid,
        branch_id: &str,
        operation: Operation,
    ) -> Result<(), Error> {
        let change = Change::Succeed(completed(branch_id, operation, None));
        self.change(gid, &change).await
    }

    /// Completes an operation from outside: the work of a branch that answered "ongoing" is refused.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn fail(
        &self,
        gid: &Gid,
        branch_id: &str,
        operation: Operation,
        reason: &str,
    ) -> Result<(), Error> {
        let change = Change::Fail(completed(branch_id, operation, Some(reason)));
        self.change(gid, &change).await
    }

    /// Orders another attempt at once of what waits or was refused: of this branch, or of all.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn retry(
        &self,
        gid: &Gid,
        branch_id: Option<&str>,
        reason: &str,
    ) -> Result<Transaction, Error> {
        let mut fields = reasoned(reason);
        insert(&mut fields, "branch_id", branch_id);
        self.order(gid, OrderKind::Retry, fields).await
    }

    /// Orders to count one operation as done: by default that of the present direction. Name the operation: without a name
    /// the order is refused once the direction has changed while the operation before it is not settled, or was skipped.
    ///
    /// # Errors
    /// It was refused, or the coordinator can't be asked.
    pub async fn skip(
        &self,
        gid: &Gid,
        branch_id: &str,
        operation: Option<Operation>,
        reason: &str,
    ) -> Result<Transaction, Error> {
        let mut fields = reasoned(reason);
        insert(&mut fields, "branch_id", Some(branch_id));
        insert(&mut fields, "operation", operation.map(Operation::as_str));
        self.order(gid, OrderKind::Skip, fields).await
    }

    /// Orders the end, without any more calls.
    ///
    /// # Errors
    /// It was refused, because it is decided to the contrary, or the coordinator can't be asked.
    pub async fn force(&self, gid: &Gid, to: End, reason: &str) -> Result<Transaction, Error> {
        let mut fields = reasoned(reason);
        insert(&mut fields, "to", Some(to.as_str()));
        self.order(gid, OrderKind::Force, fields).await
    }

    pub(crate) async fn start(&self, request: &TransactionRequest) -> Result<(), Error> {
        self.repeat.run(|| self.transport.start(request)).await
    }

    pub(crate) async fn settle(&self, settle: &Settle) -> Result<Status, Error> {
        let settled = self.settled(settle, None).await?;
        Ok(settled.status.unwrap_or(match settle {
            Settle::Whole(_) | Settle::Submit(_) => Status::Submitted,
            Settle::Abort { .. } => Status::Aborting,
        }))
    }

    pub(crate) async fn settle_and_wait(
        &self,
        settle: &Settle,
        wait: Duration,
    ) -> Result<Waited, Error> {
        let settled = self.settled(settle, Some(wait.min(WAIT_MAX))).await?;
        let Some(transaction) = settled.transaction else {
            return Err(Error::Unreadable("it shows no transaction".to_owned()));
        };
        Ok(match settled.word {
            SettledWord::Committed => Waited::Committed(transaction),
            SettledWord::Aborted => Waited::Aborted(transaction),
            SettledWord::Stuck => Waited::Stuck(transaction),
            SettledWord::Pending | SettledWord::Accepted => Waited::Pending(transaction),
        })
    }

    async fn settled(&self, settle: &Settle, wait: Option<Duration>) -> Result<Settled, Error> {
        self.repeat
            .run(|| self.transport.settle(settle, wait))
            .await
    }

    pub(crate) async fn try_branch(
        &self,
        gid: &Gid,
        branch: &BranchRequest,
        call_timeout: Duration,
    ) -> Result<Tried, Error> {
        self.repeat
            .run(|| self.transport.try_branch(gid, branch, call_timeout))
            .await
    }

    pub(crate) async fn change(&self, gid: &Gid, change: &Change) -> Result<(), Error> {
        self.repeat.run(|| self.transport.change(gid, change)).await
    }

    async fn order(
        &self,
        gid: &Gid,
        kind: OrderKind,
        fields: Map<String, Value>,
    ) -> Result<Transaction, Error> {
        let order = Order {
            kind,
            fields: Value::Object(fields),
        };
        self.repeat.run(|| self.transport.order(gid, &order)).await
    }

    pub(crate) fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    pub(crate) const fn repeat(&self) -> Repeat {
        self.repeat
    }
}

fn abort(gid: &Gid, reason: &str) -> Settle {
    Settle::Abort {
        gid: gid.clone(),
        reason: Some(reason.to_owned()),
    }
}

fn completed(branch_id: &str, operation: Operation, reason: Option<&str>) -> Completed {
    Completed {
        branch_id: branch_id.to_owned(),
        operation: Some(operation),
        reason: reason.map(ToOwned::to_owned),
    }
}

fn reasoned(reason: &str) -> Map<String, Value> {
    Map::from_iter([("reason".to_owned(), json!(reason))])
}

fn insert(fields: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), json!(value));
    }
}
