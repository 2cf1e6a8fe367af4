//! Calls of tries that leave late, never, or with a server that is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{Endpoint, Event, Fact, Operation, Outcome, Reason, Rejection, Status, TrialView};
use seata_engine::{Call, Caller, Config, Engine, EngineError, Slot, Tried, TryAnswer};
use seata_store::Owner;

use crate::common::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn after_a_takeover_in_the_middle_of_a_try_its_cancel_waits_for_the_limit() {
    let world = World::new();
    let cut = Cut::new(&world.store);
    let engine = world.engine_on(Arc::new(cut.clone()), 1).await;
    let other = world.engine(2).await;
    let mut options = options();
    options.request_timeout = Duration::from_secs(25);
    engine.begin(gid("g"), tcc(options)).await.unwrap();
    engine
        .register_branch(gid("g"), registered("own"))
        .await
        .unwrap();
    world
        .script
        .say("a", Operation::Try, [(24_000, Outcome::Success)]);
    drop(tokio::spawn({
        let engine = engine.clone();
        async move { engine.try_branch(gid("g"), tried("a")).await }
    }));
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cut.cut.store(true, Ordering::Relaxed);
    // Its lease ends, and another server takes over.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let again = other.get(&gid("g")).await.unwrap();
    let a = again.transaction.find_branch(&name("a")).unwrap();
    assert_eq!(
        again.transaction.trial(a),
        Some(TrialView::NotKnown { reason: None })
    );
    let rejected = rejection(other.submit(gid("g")).await.unwrap_err());
    assert!(matches!(rejected, Rejection::TryNotKnown { .. }));
    let aborted = other.abort(gid("g"), Reason::new("enough")).await.unwrap();
    assert_eq!(aborted.status(), Status::Aborting);
    // The first server comes back, fenced: what its call answers is not written.
    cut.cut.store(false, Ordering::Relaxed);
    while now_ms(&world) < 24_900 {
        assert_eq!(world.script.calls(), ["try a#1", "cancel own#1"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(settled(&other, "g").await.status(), Status::Aborted);
    assert!(now_ms(&world) >= 25_000, "{}", now_ms(&world));
    let calls = world.script.calls();
    assert_eq!(calls, ["try a#1", "cancel own#1", "cancel a#1"]);
    let (_, events) = other.history(&gid("g")).await.unwrap();
    let tried = |event: &&Event| matches!(&event.fact, Fact::Answered(answered) if answered.operation == Operation::Try);
    assert_eq!(events.iter().filter(tried).count(), 0);
    let seen_there = engine.get(&gid("g")).await.unwrap();
    assert_eq!(seen_there.status(), Status::Aborted);
}

/// Has no slot for the try of `full` within its time limit.
struct Full(Arc<Script>);

#[async_trait]
impl Caller for Full {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        if endpoint.as_str() == "http://full/try" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        self.0.call(call, slot).await
    }
}

async fn full(world: &World) -> Engine {
    let engine = Engine::start(
        Arc::new(world.store.clone()),
        Arc::new(Full(world.script.clone())),
        Arc::new(VirtualClock(world.start)),
        Config::new(Owner(1)),
    )
    .await
    .unwrap();
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    engine
}

#[tokio::test(start_paused = true)]
async fn a_try_that_gets_no_slot_within_its_limit_is_never_called() {
    let world = World::new();
    let engine = full(&world).await;
    let Tried { answer, .. } = try_it(&engine, "full").await;
    assert!(matches!(answer, TryAnswer::NotKnown { reason: Some(_) }));
    assert!(
        (3_000..3_200).contains(&now_ms(&world)),
        "{}",
        now_ms(&world)
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.script.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_try_that_has_not_left_is_withdrawn_by_an_abort_and_cancelled_at_once() {
    let world = World::new();
    let engine = full(&world).await;
    let asked = engine.try_branch(gid("g"), tried("full"));
    let aborted = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.abort(gid("g"), Reason::new("enough")).await.unwrap();
        settled(&engine, "g").await
    };
    let (asked, aborted) = tokio::join!(asked, aborted);
    let answer = asked.unwrap().answer;
    assert!(matches!(answer, TryAnswer::NotKnown { reason: Some(_) }));
    assert_eq!(aborted.status(), Status::Aborted);
    assert!(now_ms(&world) < 1_000, "{}", now_ms(&world));
    assert_eq!(world.script.calls(), ["cancel full#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_try_hands_it_over_in_doubt() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(2_000, Outcome::Success)]);
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { engine.try_branch(gid("g"), tried("a")).await }
    });
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.stop(Duration::from_millis(100)).await;
    let answer: Result<Tried, EngineError> = asking.await.unwrap();
    assert!(matches!(
        answer.map(|tried| tried.answer),
        Ok(TryAnswer::NotKnown { .. })
    ));
    let other = world.engine(2).await;
    // Until it is recovered there it may be told that nobody knows.
    let mut answer = TryAnswer::NotKnown { reason: None };
    while answer != TryAnswer::Succeeded {
        assert!(
            now_ms(&world) < 2_000,
            "long before the limit of the lost call"
        );
        assert!(matches!(answer, TryAnswer::NotKnown { .. }));
        answer = try_it(&other, "a").await.answer;
    }
    assert_eq!(world.script.calls().len(), 2);
}

/// A server whose clock can jump.
struct Jumping(VirtualClock, std::sync::atomic::AtomicU64);

impl seata_engine::Clock for Jumping {
    fn boot(&self) -> Duration {
        self.0.boot() + Duration::from_millis(self.1.load(Ordering::Relaxed))
    }
    fn spawn(&self, task: seata_engine::Task) {
        self.0.spawn(task);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_clock_is_ahead_releases_no_lease_in_the_middle_of_a_try() {
    let world = World::new();
    let driver = world.engine(1).await;
    let mut options = options();
    options.prepared_timeout = Duration::from_secs(600);
    driver.begin(gid("g"), tcc(options)).await.unwrap();
    world
        .script
        .say("a", Operation::Try, [(1_000, Outcome::Success)]);
    drop(tokio::spawn({
        let driver = driver.clone();
        async move { driver.try_branch(gid("g"), tried("a")).await }
    }));
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let clock = Arc::new(Jumping(
        VirtualClock(world.start),
        std::sync::atomic::AtomicU64::new(0),
    ));
    let caller: Arc<dyn Caller> = world.script.clone();
    let ahead = Engine::start(
        Arc::new(world.store.clone()),
        caller,
        Arc::clone(&clock) as _,
        Config::new(Owner(2)),
    )
    .await
    .unwrap();
    clock.1.store(60_000, Ordering::Relaxed);
    rejection(ahead.submit(gid("g")).await.unwrap_err());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let header = world.store.peek(&gid("g")).unwrap().header;
    assert_eq!(header.owner, Some(Owner(1)));
    assert!(
        header.lease_until.is_some(),
        "the driver's lease was released"
    );
}
