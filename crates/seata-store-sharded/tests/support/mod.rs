//! Shards that fail on order.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and fails by panicking"
)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, Gid, LeaseChange, Mode, Status, TxnStore,
    UnixMillis,
};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};
use seata_store_sharded::{ShardState, Sharded, shard_of};

pub(crate) const LEASE: Duration = Duration::from_secs(600);
pub(crate) const ALL: ClaimLimit = ClaimLimit {
    count: 1_000,
    bytes: 1 << 20,
};

/// What goes wrong with one shard from now on.
pub(crate) struct Switch(Mutex<(AppendFault, OtherFault)>);

impl Switch {
    pub(crate) fn set(&self, append: AppendFault, other: OtherFault) {
        *self.0.lock().unwrap() = (append, other);
    }
}

impl Faults for Switch {
    fn on_append(&self, _batch: &[Append]) -> AppendFault {
        self.0.lock().unwrap().0
    }
    fn on_other(&self, _call: StoreCall) -> OtherFault {
        self.0.lock().unwrap().1
    }
}

/// The clock of one shard.
pub(crate) struct Time(AtomicI64);

impl Time {
    pub(crate) fn set(&self, time: UnixMillis) {
        self.0.store(time.0, Ordering::Relaxed);
    }
}

/// Reference stores as shards.
pub(crate) struct Cluster {
    pub(crate) store: Sharded,
    pub(crate) faults: Vec<Arc<Switch>>,
    pub(crate) clocks: Vec<Arc<Time>>,
    beneath: Vec<MemStore>,
}

impl Cluster {
    pub(crate) fn new(count: usize) -> Self {
        let fine = || Arc::new(Switch(Mutex::new((AppendFault::None, OtherFault::None))));
        let faults: Vec<_> = (0..count).map(|_| fine()).collect();
        let clocks: Vec<_> = (0..count)
            .map(|_| Arc::new(Time(AtomicI64::new(1_000_000))))
            .collect();
        let beneath: Vec<_> = clocks.iter().map(mem).collect();
        let shards = beneath.iter().zip(&faults).map(|(store, faults)| {
            let faults: Arc<dyn Faults> = faults.clone();
            let shard: Arc<dyn TxnStore> = Arc::new(FaultyStore::new(store.clone(), faults));
            shard
        });
        Self {
            store: Sharded::new(shards.collect()).unwrap(),
            faults,
            clocks,
            beneath,
        }
    }

    pub(crate) fn place(&self, gid: &Gid) -> usize {
        usize::from(shard_of(gid, u16::try_from(self.beneath.len()).unwrap()))
    }

    /// Answers so many names that belong to a shard.
    pub(crate) fn names_of(&self, shard: usize, prefix: &str, count: usize) -> Vec<String> {
        (0..)
            .map(|n| format!("{prefix}{n}"))
            .filter(|name| self.place(&gid(name)) == shard)
            .take(count)
            .collect()
    }

    /// Answers a name for each shard, in order.
    pub(crate) fn one_name_each(&self, prefix: &str) -> Vec<String> {
        (0..self.beneath.len())
            .flat_map(|shard| self.names_of(shard, prefix, 1))
            .collect()
    }

    pub(crate) async fn applied(&self, append: Append) {
        let answer = self.store.append(vec![append]).await.remove(0).unwrap();
        assert!(matches!(answer, AppendOutcome::Applied(_)), "{answer:?}");
    }

    /// Answers how many are leased, whoever knows of it.
    pub(crate) fn leased(&self) -> usize {
        let headers = self.beneath.iter().flat_map(MemStore::headers);
        headers
            .filter(|header| header.lease_until.is_some())
            .count()
    }

    /// Waits until every shard answers: calls go on, as they do in a server.
    pub(crate) async fn answers_again(&self) {
        for _ in 0..2_000 {
            let names = self.one_name_each("probe");
            drop(
                self.store
                    .append(names.iter().map(|name| creation(name, 1_000)).collect())
                    .await,
            );
            for name in names {
                drop(self.store.load(&gid(&name)).await);
            }
            if self
                .store
                .states()
                .iter()
                .all(|state| *state == ShardState::Answers)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("a shard is not found again: {:?}", self.store.states());
    }
}

fn mem(clock: &Arc<Time>) -> MemStore {
    let clock = Arc::clone(clock);
    MemStore::new(Arc::new(move || {
        UnixMillis(clock.0.load(Ordering::Relaxed))
    }))
}

pub(crate) fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}

/// A creation, due at once, without a lease.
pub(crate) fn creation(name: &str, at_ms: i64) -> Append {
    Append {
        gid: gid(name),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(at_ms)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from(vec![b'x'; 10])),
        at: UnixMillis(at_ms),
    }
}
