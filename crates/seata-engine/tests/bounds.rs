//! Beyond each bound new work is refused, and accepted work goes on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use common::moody::Moody;
use common::*;
use seata_core::{Definition, Header, Operation, Outcome, Payload, Reason, Status, UnixMillis};
use seata_engine::{Config, EngineError};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Held, ListQuery, Owner, Page, StoreError,
    Stored, TxnStore,
};
use seata_store_mem::MemStore;

/// A store that takes a second for each append.
struct Slow(MemStore);

#[async_trait]
impl TxnStore for Slow {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        tokio::time::sleep(Duration::from_secs(1)).await;
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
    async fn list(&self, query: &ListQuery) -> Result<Page<seata_store::Header>, StoreError> {
        self.0.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.0.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.0.ping().await
    }
}

fn is_overloaded<T>(answer: Result<T, EngineError>) -> bool {
    matches!(answer, Err(EngineError::Overloaded { .. }))
}

#[tokio::test(start_paused = true)]
async fn a_full_journal_refuses_new_transactions_and_branches_and_takes_orders() {
    let world = World::new();
    let config = Config {
        journal_bytes_max: 0,
        ..Config::new(Owner(1))
    };
    let engine = world
        .engine_with(Arc::new(Slow(world.store.clone())), config)
        .await;
    engine.begin(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let other = engine.clone();
    let waiting = tokio::spawn(async move { other.begin(gid("h"), saga(&[])).await });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(is_overloaded(engine.begin(gid("i"), saga(&[])).await));
    let added = engine.add_branch(gid("g"), branch("b", &[])).await;
    assert!(is_overloaded(added));
    let aborted = engine.abort(gid("g"), Reason::new("enough")).await.unwrap();
    assert_eq!(aborted.transaction.branch_count(), 1);
    assert_ne!(aborted.status(), Status::Prepared);
    waiting.await.unwrap().unwrap();
}

fn payload(bytes: usize) -> Option<Payload> {
    Some(Payload {
        content_type: seata_core::ContentType::Json,
        bytes: vec![b'x'; bytes].into(),
    })
}

fn heavy(branches: &[(&str, &[&str])]) -> Arc<Definition> {
    let mut definition = Arc::unwrap_or_clone(saga(branches));
    definition.payload = payload(300 << 10);
    Arc::new(definition)
}

#[tokio::test(start_paused = true)]
async fn a_full_memory_refuses_new_content_until_transactions_have_ended() {
    let world = World::new();
    let slow = (0..2).map(|_| (60_000, Outcome::Success));
    world.script.say("slow", Operation::Action, slow);
    let config = Config {
        active_bytes_max: 1 << 20,
        ..Config::new(Owner(1))
    };
    let store = Arc::new(world.store.clone());
    let engine = world.engine_with(store, config).await;
    let small = engine.begin(gid("small"), saga(&[])).await;
    assert!(small.is_ok());
    for name in ["1", "2"] {
        let driven = heavy(&[("slow", &[])]);
        engine.run(gid(name), driven).await.unwrap();
    }
    assert!(is_overloaded(
        engine.run(gid("3"), heavy(&[("a", &[])])).await
    ));
    let mut large = Arc::unwrap_or_clone(branch("b", &[]));
    large.payload = payload(300 << 10);
    let large = Arc::new(large);
    let added = engine.add_branch(gid("small"), large.clone()).await;
    assert!(is_overloaded(added));
    // What is small finds room, and so does the same request about what is in memory.
    engine.run(gid("4"), saga(&[("slow", &[])])).await.unwrap();
    engine.run(gid("1"), heavy(&[("slow", &[])])).await.unwrap();
    for name in ["1", "2", "4"] {
        assert_eq!(settled(&engine, name).await.status(), Status::Committed);
    }
    engine.run(gid("3"), heavy(&[("a", &[])])).await.unwrap();
    assert_eq!(settled(&engine, "3").await.status(), Status::Committed);
}

#[tokio::test(start_paused = true)]
async fn names_in_after_take_room_and_one_beyond_all_room_is_taken_alone() {
    let world = World::new();
    let config = Config {
        active_bytes_max: 200_000,
        ..Config::new(Owner(1))
    };
    let engine = world
        .engine_with(Arc::new(world.store.clone()), config)
        .await;
    // 60 branches, and 1,770 names.
    let names: Vec<_> = (10..70).map(|number| number.to_string()).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let ordered: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, &names[..at]))
        .collect();
    let slow = [(60_000, Outcome::Success)];
    world.script.say("69", Operation::Action, slow);
    engine.run(gid("ordered"), saga(&ordered)).await.unwrap();
    assert!(is_overloaded(
        engine.run(gid("a"), saga(&[("a", &[])])).await
    ));
    assert_eq!(
        settled(&engine, "ordered").await.status(),
        Status::Committed
    );
    engine.run(gid("a"), saga(&[("a", &[])])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn questions_beyond_the_bound_of_one_transaction_are_refused_and_others_go_on() {
    let world = World::new();
    let config = Config {
        questions_max: 2,
        ..Config::new(Owner(1))
    };
    let store = Arc::new(Slow(world.store.clone()));
    let engine = world.engine_with(store, config).await;
    engine.begin(gid("g"), saga(&[])).await.unwrap();
    let ask = |name: &'static str| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.add_branch(gid("g"), branch(name, &[])).await })
    };
    let waiting = [ask("a"), ask("bb")];
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(is_overloaded(ask("ccc").await.unwrap()));
    engine.begin(gid("h"), saga(&[])).await.unwrap();
    for asked in waiting {
        asked.await.unwrap().unwrap();
    }
    let added = ask("ccc").await.unwrap().unwrap();
    assert_eq!(added.transaction.branch_count(), 3);
}

/// Asks for a saga that has ended and that nobody drives any more; answers how often the store was asked for it.
async fn loads_behind_the_end(definition: Arc<Definition>) -> usize {
    let world = World::new();
    let store = Moody::new(&world.store);
    let engine = world.engine_on(Arc::new(store.clone()), 1).await;
    engine.run(gid("g"), definition).await.unwrap();
    settled(&engine, "g").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let before = store.asked.loads.load(Ordering::Relaxed);
    let snapshot = engine.get(&gid("g")).await.unwrap();
    assert_eq!(snapshot.status(), Status::Committed);
    store.asked.loads.load(Ordering::Relaxed) - before
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_stays_in_memory_only_if_it_is_small() {
    let small = saga(&[("a", &[])]);
    assert_eq!(loads_behind_the_end(Arc::clone(&small)).await, 0);
    let header = Header {
        name: "x-note".into(),
        value: "x".repeat(8 << 10).into(),
    };
    let mut of_all = Arc::unwrap_or_clone(small);
    let mut of_a_branch = of_all.clone();
    of_all.options.headers = vec![header.clone()];
    assert_eq!(loads_behind_the_end(Arc::new(of_all)).await, 1);
    let mut branch = Arc::unwrap_or_clone(branch("a", &[]));
    branch.headers = vec![header];
    of_a_branch.branches = vec![Arc::new(branch)];
    assert_eq!(loads_behind_the_end(Arc::new(of_a_branch)).await, 1);
}
