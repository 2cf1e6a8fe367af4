//! The contract on Redis.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fred::types::Value;
use futures_util::future::join_all;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::error::{Access, Fault, corrupt};
use crate::layout::{Layout, Partition};
use crate::node::Call;
use crate::nodes::{Nodes, Spread};
use crate::options::RedisOptions;
use crate::script::Command;
use crate::walk::Place;
use crate::{append, lease, open, purge, read};

/// Redis serves one command at a time: a batch is a handful of short scripts, and a large value stops everybody.
const LIMITS: StoreLimits = StoreLimits {
    batch_count_max: 256,
    batch_bytes_max: 4 << 20,
    batches_in_flight_max: 4,
    record_bytes_max: 16 << 20,
};

/// Keeps transactions in Redis. Clones are one store.
#[derive(Clone)]
pub struct RedisStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    nodes: Nodes,
    pub(crate) layout: Layout,
    timeout: Duration,
    calls: AtomicUsize,
    /// Where the next purge goes on.
    pub(crate) purged_to: Mutex<Option<Place>>,
}

impl RedisStore {
    /// Connects, and writes the layout into an empty store or checks the one that is there.
    ///
    /// # Errors
    /// `Unavailable`: Redis can't be reached. `Invalid`: address, credentials, or keys that belong to another shard,
    /// number of partitions or version; the text says what to change.
    pub async fn open(options: RedisOptions) -> Result<Self, StoreError> {
        let (nodes, layout) = open::open(&options).await?;
        let inner = Inner {
            nodes,
            layout,
            timeout: options.timeout,
            calls: AtomicUsize::new(0),
            purged_to: Mutex::new(None),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

impl Inner {
    /// Begins a call of the contract: all of its commands share one time limit and one connection.
    pub(crate) fn begin(&self) -> Call {
        Call::begin(self.calls.fetch_add(1, Ordering::Relaxed), self.timeout)
    }

    pub(crate) fn spread(&self) -> Spread {
        self.nodes.spread()
    }

    pub(crate) fn keep_slots_apart(&self) {
        self.nodes.keep_slots_apart();
    }

    pub(crate) async fn ask(
        &self,
        call: Call,
        partition: Partition,
        command: Command,
    ) -> Result<Value, Fault> {
        self.nodes
            .call(call, self.layout.slot(partition), command)
            .await
    }

    /// Sends all at once and answers each by itself.
    pub(crate) async fn ask_each(
        &self,
        call: Call,
        commands: Vec<(Partition, Command)>,
    ) -> Vec<Result<Value, Fault>> {
        let asked = commands
            .into_iter()
            .map(|(partition, command)| self.ask(call, partition, command));
        join_all(asked).await
    }
}

#[async_trait]
impl TxnStore for RedisStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        append::append(&self.inner, batch, LIMITS.record_bytes_max).await
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        read::load(&self.inner, gid).await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        lease::claim_due(&self.inner, owner, lasts, limit).await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        lease::renew(&self.inner, held, lasts).await
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        read::list(&self.inner, query).await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        purge::purge(&self.inner, ended_before, limit).await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        const DOING: &str = "asking redis for its time";
        let call = self.inner.begin();
        let answer = self
            .inner
            .nodes
            .call_any(call, Command::plain("TIME", &[]))
            .await;
        let answer = answer.map_err(|fault| fault.told(DOING, Access::Read))?;
        match answer.into_array().as_slice() {
            [seconds, micros] => match (seconds.as_i64(), micros.as_i64()) {
                (Some(seconds), Some(micros)) => Ok(UnixMillis(seconds * 1_000 + micros / 1_000)),
                (None, _) | (_, None) => Err(corrupt(DOING, "it answered no numbers")),
            },
            _ => Err(corrupt(DOING, "it answered no time")),
        }
    }

    fn limits(&self) -> StoreLimits {
        LIMITS
    }
}
