//! More work than the store can take: what is accepted is answered in time, the rest is refused at once, and nothing is
//! lost or kept in secret.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::moody::Moody;
use common::*;
use seata_core::{Endpoint, Operation, Outcome, Status, UnixMillis};
use seata_engine::{Call, Caller, Config, Engine, EngineError, Slot};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreLimits, Stored, TxnStore,
};
use seata_store_mem::MemStore;
use tokio::time::Instant;

/// A disk that takes 200 ms to sync, and 16 appends at a time: 80 appends a second.
#[derive(Clone)]
struct Narrow(MemStore);

const SYNC: Duration = Duration::from_millis(200);

#[async_trait]
impl TxnStore for Narrow {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        tokio::time::sleep(SYNC).await;
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
    fn limits(&self) -> StoreLimits {
        StoreLimits {
            batch_count_max: 16,
            batches_in_flight_max: 1,
            ..StoreLimits::default()
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_too_slow_for_what_comes_answers_in_time_what_is_accepted_and_the_rest_at_once() {
    let world = World::new();
    let store = Arc::new(Narrow(world.store.clone()));
    let config = Config::new(Owner(1));
    let answered_within = config.journal_wait_max + SYNC * 3;
    let store_timeout = config.store_timeout;
    let engine = world.engine_with(store, config).await;
    let mut asked = Vec::new();
    for number in 0..2_000 {
        let engine = engine.clone();
        asked.push(tokio::spawn(async move {
            let begun = Instant::now();
            let name = gid(&format!("g-{number}"));
            let answer = engine.run(name, saga(&[("a", &[])])).await;
            (number, answer, begun.elapsed())
        }));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for asked in asked {
        match asked.await.unwrap() {
            (number, Ok(_), took) => {
                assert!(took <= answered_within, "{number}: {took:?}");
                accepted.push(number);
            }
            (number, Err(EngineError::Overloaded { what, .. }), took) => {
                assert_eq!((what, took), ("the journal", Duration::ZERO), "{number}");
                refused.push(number);
            }
            (number, Err(error), took) => panic!("{number}: {error} after {took:?}"),
        }
    }
    assert!(answered_within < store_timeout);
    assert!(accepted.len() > 100 && refused.len() > 100);
    for number in accepted {
        let ended = settled(&engine, &format!("g-{number}")).await;
        assert_eq!(ended.status(), Status::Committed);
    }
    for number in refused {
        let found = engine.get(&gid(&format!("g-{number}"))).await;
        assert!(matches!(found, Err(EngineError::NotFound { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn due_work_that_takes_long_leaves_memory_to_requests() {
    let world = World::new();
    let mut later = options();
    later.retry.first = Duration::from_secs(8);
    let first = world.engine(1).await;
    let answers = (0..40).map(|_| (0, unknown()));
    world.script.say("slow", Operation::Action, answers);
    for number in 0..40 {
        let whole = saga_with(&[("slow", &[])], later.clone());
        first
            .run(gid(&format!("due-{number}")), whole)
            .await
            .unwrap();
    }
    first.stop(Duration::ZERO).await;
    let slow = (0..40).map(|_| (600_000, Outcome::Success));
    world.script.say("slow", Operation::Action, slow);
    let config = Config {
        active_max: 16,
        ..Config::new(Owner(2))
    };
    let store = Arc::new(world.store.clone());
    let engine = world.engine_with(store, config).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let active = engine.health().await.active;
    assert!((8..16).contains(&active), "{active}");
    for number in 0..20 {
        let name = format!("fast-{number}");
        engine.run(gid(&name), saga(&[("a", &[])])).await.unwrap();
        assert_eq!(settled(&engine, &name).await.status(), Status::Committed);
    }
}

/// Has no slot for calls to `full`.
#[derive(Default)]
struct Full {
    script: Script,
    waiting: AtomicUsize,
}

#[async_trait]
impl Caller for Full {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        if endpoint.authority() == "full" {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }
        Slot::unbounded()
    }
    fn waiting(&self, endpoint: &Endpoint) -> usize {
        match endpoint.authority() {
            "full" => self.waiting.load(Ordering::Relaxed),
            _ => 0,
        }
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        self.script.call(call, slot).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_one_participant_leaves_memory_to_what_goes_elsewhere() {
    let world = World::new();
    let config = Config {
        active_max: 80,
        ..Config::new(Owner(1))
    };
    let engine = Engine::start(
        Arc::new(world.store.clone()),
        Arc::new(Full::default()),
        Arc::new(VirtualClock(world.start)),
        config,
    );
    let engine = engine.await.unwrap();
    let (mut accepted, mut refused) = (0, Vec::new());
    for number in 0..100 {
        let name = gid(&format!("full-{number}"));
        match engine
            .run(name, saga(&[("a", &[]), ("full", &["a"])]))
            .await
        {
            Ok(_) => accepted += 1,
            Err(EngineError::Overloaded { what, .. }) => refused.push(what),
            Err(error) => panic!("{number}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let queue = "the queue of calls to a participant of this transaction";
    assert!(refused.iter().all(|what| *what == queue), "{refused:?}");
    assert!((60..70).contains(&accepted), "{accepted}");
    for number in 0..100 {
        let name = format!("fast-{number}");
        engine.run(gid(&name), saga(&[("a", &[])])).await.unwrap();
        assert_eq!(settled(&engine, &name).await.status(), Status::Committed);
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_of_slow_calls_are_made_once_and_their_leases_cost_few_questions() {
    const CALLS: usize = 3_000;
    let world = World::new();
    let store = Moody::new(&world.store);
    let engine = world.engine_on(Arc::new(store.clone()), 1).await;
    let slow = (0..CALLS).map(|_| (60_000, Outcome::Success));
    world.script.say("slow", Operation::Action, slow);
    for number in 0..CALLS {
        let name = gid(&format!("g-{number}"));
        engine.run(name, saga(&[("slow", &[])])).await.unwrap();
    }
    let lease = Config::new(Owner(1)).lease;
    for number in 0..CALLS {
        let ended = settled(&engine, &format!("g-{number}")).await;
        assert_eq!(ended.status(), Status::Committed);
    }
    assert_eq!(world.script.calls().len(), CALLS);
    // Four times in a lease, a thousand at a time.
    let took = world.start.elapsed();
    let rounds = took.as_secs_f64() / (lease / 4).as_secs_f64();
    let renewals = f64::from(u32::try_from(store.asked.renewals.load(Ordering::Relaxed)).unwrap());
    assert!(renewals <= (rounds + 1.0) * 4.0, "{renewals} in {rounds}");
}
