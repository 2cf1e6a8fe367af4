//! When batches leave for the store: at once while it has little to do, and beside others only if they are worth it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use seata_core::{FencingToken, Gid, Operation, Outcome, UnixMillis};
use seata_engine::Engine;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Header, Held, ListQuery, Owner, Page, StoreError,
    StoreLimits, Stored, TxnStore,
};
use seata_store_mem::MemStore;
use tokio::time::{Instant, sleep, sleep_until};

/// Takes its time for each batch, and notes when it came and how many were in it.
#[derive(Clone)]
struct Slow {
    store: MemStore,
    took: Duration,
    start: Instant,
    came: Arc<Mutex<Vec<(u128, usize)>>>,
}

#[async_trait]
impl TxnStore for Slow {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let came = (self.start.elapsed().as_millis(), batch.len());
        self.came.lock().unwrap().push(came);
        sleep(self.took).await;
        self.store.append(batch).await
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.store.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.store.claim_due(owner, lasts, limit).await
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.store.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.store.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.store.ping().await
    }
    fn limits(&self) -> StoreLimits {
        StoreLimits {
            batches_in_flight_max: 8,
            ..StoreLimits::default()
        }
    }
}

/// Begins so many sagas at each of these times, and answers the batches of their creations.
async fn batches(took_ms: u64, begun: &[(u64, usize)]) -> Vec<(u128, usize)> {
    let world = World::new();
    let slow = Slow {
        store: world.store.clone(),
        took: Duration::from_millis(took_ms),
        start: world.start,
        came: Arc::default(),
    };
    let engine = Arc::new(world.engine_on(Arc::new(slow.clone()), 1).await);
    let count = begun.iter().map(|(_, count)| *count).sum();
    // Nothing else is appended meanwhile.
    let silence = std::iter::repeat_n((600_000, Outcome::Success), count);
    world.script.say("a", Operation::Action, silence);
    for (at_ms, count) in begun {
        sleep_until(world.start + Duration::from_millis(*at_ms)).await;
        for number in 0..*count {
            drop(tokio::spawn(begin(
                Arc::clone(&engine),
                format!("g-{at_ms}-{number}"),
            )));
        }
    }
    sleep(Duration::from_secs(1)).await;
    slow.came.lock().unwrap().clone()
}

async fn begin(engine: Arc<Engine>, name: String) {
    engine.run(gid(&name), saga(&[("a", &[])])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn few_appends_leave_at_once_and_more_wait_for_each_other() {
    let begun: Vec<_> = (0..12).map(|ms| (ms, 1)).collect();
    let came = batches(20, &begun).await;
    assert_eq!(came[..4], [(0, 1), (1, 1), (2, 1), (3, 1)]);
    // Those of 4 ms and later.
    assert_eq!(came[4].0, 8, "{came:?}");
    assert!(came[4].1 >= 4, "{came:?}");
    assert!(came.len() <= 6, "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_leaves_as_soon_as_the_batch_before_it_is_back() {
    let came = batches(3, &[(0, 30), (1, 10)]).await;
    let (first, later): (Vec<_>, Vec<_>) = came.iter().partition(|(at_ms, _)| *at_ms == 0);
    assert_eq!(first.iter().map(|(_, count)| count).sum::<usize>(), 30);
    assert_eq!(later, [(3, 10)], "{came:?}");
}

#[tokio::test(start_paused = true)]
async fn many_leave_beside_others_at_once() {
    let came = batches(20, &[(0, 30), (1, 70)]).await;
    let at_one: usize = came
        .iter()
        .filter(|(at_ms, _)| *at_ms == 1)
        .map(|(_, count)| count)
        .sum();
    assert!(at_one >= 64, "{came:?}");
}
