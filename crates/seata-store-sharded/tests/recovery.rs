//! Shards that come back, and what one bad record or one call without an answer may not do to the rest.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    Status, StoreError, StoreErrorKind, Stored, TxnStore, UnixMillis,
};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};
use seata_store_sharded::Sharded;
use support::{ALL, Cluster, LEASE, creation, gid};

/// A shard that only appends fell silent on is asked for claims and loads all the time: its answers show that it is there.
#[tokio::test(start_paused = true)]
async fn the_first_append_after_a_long_recovery_is_not_refused() {
    let cluster = Cluster::new(2);
    let names = cluster.one_name_each("first");
    cluster.faults[1].set(AppendFault::Hang, OtherFault::Hang);
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    drop(cluster.store.append(batch).await);
    cluster.faults[1].set(AppendFault::None, OtherFault::None);
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cluster.store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
        assert!(cluster.store.load(&gid(&names[1])).await.is_ok());
    }
    let late = cluster.names_of(1, "late", 1).remove(0);
    let answer = cluster.store.append(vec![creation(&late, 1_000)]).await;
    assert!(
        matches!(answer[0], Ok(AppendOutcome::Applied(_))),
        "{answer:?}"
    );
}

fn ended(name: &str) -> Append {
    Append {
        status: Status::Committed,
        wake_at: None,
        ..creation(name, 1_000)
    }
}

#[tokio::test(start_paused = true)]
async fn no_shard_starves_in_purges_whatever_is_claimed_between() {
    let cluster = Cluster::new(2);
    for shard in 0..2 {
        for name in cluster.names_of(shard, "old", 40) {
            cluster.applied(ended(&name)).await;
        }
    }
    for _ in 0..6 {
        cluster.store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
        let purged = cluster.store.purge(UnixMillis(i64::MAX), 5).await.unwrap();
        assert_eq!(purged, 5);
    }
    let page = cluster.store.list(&ListQuery::newest(100)).await.unwrap();
    let of_first = page.items.iter().filter(|one| cluster.place(&one.gid) == 0);
    let left = of_first.count();
    assert_eq!((left, page.items.len()), (25, 50));
}

/// "Surely not applied" is said of what leased ten transactions.
#[tokio::test(start_paused = true)]
async fn a_claim_without_an_answer_is_ambiguous() {
    let cluster = Cluster::new(1);
    for name in cluster.names_of(0, "g", 10) {
        cluster.applied(creation(&name, 1_000)).await;
    }
    cluster.faults[0].set(AppendFault::None, OtherFault::HangAfter);
    let error = cluster.store.claim_due(Owner(1), LEASE, ALL).await;
    assert_eq!(cluster.leased(), 10);
    assert_eq!(error.unwrap_err().kind, StoreErrorKind::Ambiguous);
}

/// A store in which somebody keeps one row locked: it says so after a while.
struct Locked(MemStore);

#[async_trait::async_trait]
impl TxnStore for Locked {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        if batch.iter().any(|one| one.gid.as_str() == "kept") {
            tokio::time::sleep(Duration::from_millis(600)).await;
            let why = "somebody keeps the row locked";
            return vec![
                Err(StoreError::new(
                    StoreErrorKind::Unavailable,
                    "appending",
                    why
                ));
                batch.len()
            ];
        }
        self.0.append(batch).await
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.0.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.0.claim_due(owner, lasts, limit).await
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.0.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.0.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.0.ping().await
    }
}

/// With little to do there is no other answer beside the locked row's.
#[tokio::test(start_paused = true)]
async fn one_locked_row_costs_no_other_transaction_anything() {
    let shard = Locked(MemStore::new(Arc::new(|| UnixMillis(1_000_000))));
    let store = Sharded::new(vec![Arc::new(shard)]).unwrap();
    for round in 0..5 {
        assert!(store.append(vec![creation("kept", 1_000)]).await[0].is_err());
        let answer = store
            .append(vec![creation(&format!("g{round}"), 1_000)])
            .await;
        assert!(
            matches!(answer[0], Ok(AppendOutcome::Applied(_))),
            "{answer:?}"
        );
    }
}

/// The engine asks a store that is away for its time, and nothing else, until that is answered.
#[tokio::test(start_paused = true)]
async fn pings_alone_find_shards_that_are_back() {
    let cluster = Cluster::new(2);
    for faults in &cluster.faults {
        faults.set(AppendFault::Hang, OtherFault::Hang);
    }
    let names = cluster.one_name_each("g");
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    drop(cluster.store.append(batch).await);
    assert!(cluster.store.ping().await.is_err());
    for faults in &cluster.faults {
        faults.set(AppendFault::None, OtherFault::None);
    }
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if cluster.store.ping().await.is_ok() {
            return;
        }
    }
    panic!(
        "not found again in ten minutes: {:?}",
        cluster.store.states()
    );
}

/// What the store was asked before.
#[derive(Default)]
struct Firsts {
    appended: AtomicBool,
    pinged: AtomicBool,
}

/// The first append is never answered, and the first ping panics.
impl Faults for Firsts {
    fn on_append(&self, _batch: &[Append]) -> AppendFault {
        match self.appended.swap(true, Ordering::Relaxed) {
            false => AppendFault::Hang,
            true => AppendFault::None,
        }
    }

    fn on_other(&self, call: StoreCall) -> OtherFault {
        let is_first = call == StoreCall::Ping && !self.pinged.swap(true, Ordering::Relaxed);
        assert!(!is_first, "a bug of the store");
        OtherFault::None
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_whose_probe_panics_is_probed_again() {
    let firsts = Arc::new(Firsts::default());
    let beneath = MemStore::new(Arc::new(|| UnixMillis(1_000_000)));
    let shard = FaultyStore::new(beneath, firsts.clone());
    let store = Sharded::new(vec![Arc::new(shard)]).unwrap();
    for _ in 0..100 {
        let answer = store.append(vec![creation("g", 1_000)]).await.remove(0);
        if answer.is_ok() {
            assert!(firsts.pinged.load(Ordering::Relaxed));
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not found again: {:?}", store.states());
}
