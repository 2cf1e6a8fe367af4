//! A store that fails: whoever asks is told soon, accepted work waits, and goes on by itself (docs/adr/0010).
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use common::moody::{Mood, Moody};
use common::*;
use seata_core::{Endpoint, Operation, Outcome, Status};
use seata_engine::{Call, Caller, Config, Engine, EngineError, Slot, Snapshot};
use seata_store::{Owner, StoreErrorKind};
use tokio::time::{Instant, sleep};

const GRACE: Duration = Duration::from_secs(3);

/// A store that answers each question in its own time, and an engine on it.
async fn house(world: &World) -> (Moody, Engine) {
    let store = Moody::new(&world.store);
    let engine = world.engine_on(Arc::new(store.clone()), 1).await;
    (store, engine)
}

fn is_unavailable<T>(answer: &Result<T, EngineError>) -> bool {
    matches!(answer, Err(EngineError::StoreUnavailable { .. }))
}

async fn run(engine: &Engine, name: &str) -> Result<Snapshot, EngineError> {
    engine.run(gid(name), saga(&[("a", &[])])).await
}

/// Runs so many sagas whose one branch answers after so long.
async fn run_slow(world: &World, engine: &Engine, names: &[String], took_ms: u64) {
    let answers = names.iter().map(|_| (took_ms, Outcome::Success));
    world.script.say("a", Operation::Action, answers);
    for name in names {
        run(engine, name).await.unwrap();
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}-{at}")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_told_of_in_about_two_seconds_and_then_at_once() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    run(&engine, "known").await.unwrap();
    settled(&engine, "known").await;
    store.set(Mood::Hangs);
    let asked_at = Instant::now();
    assert!(is_unavailable(&run(&engine, "first").await));
    assert!(asked_at.elapsed() < Duration::from_millis(2_600));
    sleep(Duration::from_millis(500)).await;
    let asked_at = Instant::now();
    assert!(is_unavailable(&run(&engine, "second").await));
    assert!(is_unavailable(&engine.get(&gid("unknown")).await));
    assert!(!engine.health().await.store);
    assert_eq!(asked_at.elapsed(), Duration::ZERO);
    // What ended lately is told from memory.
    assert_eq!(
        engine.get(&gid("known")).await.unwrap().status(),
        Status::Committed
    );
    store.set(Mood::Well);
    sleep(Duration::from_millis(2_300)).await;
    assert!(engine.health().await.store);
    run(&engine, "second").await.unwrap();
    assert_eq!(settled(&engine, "second").await.status(), Status::Committed);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_several_slow_questions_is_answered_after_the_time_of_one() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    engine.begin(gid("g"), saga(&[("a", &[])])).await.unwrap();
    store.set(Mood::AppendsHang(1_800));
    let asked_at = Instant::now();
    let submitted = engine.submit(gid("g")).await;
    assert!(is_unavailable(&submitted));
    let took = asked_at.elapsed();
    assert!(took < Duration::from_millis(4_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_was_away_is_found_again_and_refuses_nobody_then() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    store.set(Mood::Refuses);
    sleep(Duration::from_secs(90)).await;
    assert!(is_unavailable(&run(&engine, "g").await));
    store.set(Mood::Well);
    sleep(Duration::from_millis(250)).await;
    for name in names("g", 20) {
        run(&engine, &name).await.unwrap();
    }
}

/// So is the embedded store while its disk says nothing: leases are in memory.
#[tokio::test(start_paused = true)]
async fn leases_that_are_renewed_keep_their_calls_and_end_no_outage() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    run_slow(&world, &engine, &names("g", 1), 30_000).await;
    store.set(Mood::RenewsAlone);
    sleep(Duration::from_secs(3)).await;
    let before = store.asked.claims.load(Ordering::Relaxed);
    sleep(Duration::from_secs(20)).await;
    let claims = store.asked.claims.load(Ordering::Relaxed);
    assert_eq!(claims, before, "whoever claims takes the store for well");
    store.set(Mood::Well);
    assert_eq!(settled(&engine, "g-0").await.status(), Status::Committed);
    assert_eq!(world.script.calls(), ["action a#1"]);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_away_the_store_is_asked_seldom() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    run_slow(&world, &engine, &names("g", 300), 120_000).await;
    store.set(Mood::Refuses);
    sleep(Duration::from_secs(3)).await;
    let before = store.asked.all();
    sleep(Duration::from_secs(60)).await;
    let asked = store.asked.all() - before;
    // Five pings a second, and what little the leases cost until they end.
    assert!(asked < 60 * 5 + 30, "{asked} questions in a minute");
}

#[tokio::test(start_paused = true)]
async fn work_goes_on_when_the_store_is_back_before_the_leases_end_and_no_crowd_asks_at_once() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    let names = names("g", 300);
    run_slow(&world, &engine, &names, 3_000).await;
    store.set(Mood::Refuses);
    sleep(Duration::from_secs(6)).await;
    store.asked.loading_max.store(0, Ordering::Relaxed);
    store.set(Mood::Well);
    sleep(Duration::from_secs(2)).await;
    for name in &names {
        let stored = world.store.peek(&gid(name)).unwrap();
        assert_eq!(stored.header.status, Status::Committed, "{name}");
    }
    assert_eq!(world.script.calls().len(), names.len(), "each called once");
    let crowd = store.asked.loading_max.load(Ordering::Relaxed);
    assert!(crowd <= 32, "{crowd} loads at once");
}

#[tokio::test(start_paused = true)]
async fn work_is_claimed_again_when_the_store_is_back_after_the_leases_have_ended() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let world = World::new();
        let (store, engine) = house(&world).await;
        let names = names("g", 300);
        run_slow(&world, &engine, &names, 3_000).await;
        store.set(mood);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(engine.health().await.active, 0, "let go: {mood:?}");
        store.set(Mood::Well);
        // One question that hangs still, then the claims.
        sleep(Duration::from_secs(4)).await;
        for name in &names {
            let stored = world.store.peek(&gid(name)).unwrap();
            assert_eq!(stored.header.status, Status::Committed, "{name}: {mood:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_part_fails_its_own_transactions_and_holds_up_no_others() {
    for mood in [Mood::PartRefuses, Mood::PartHangs] {
        let world = World::new();
        let (store, engine) = house(&world).await;
        run_slow(&world, &engine, &names("dead", 20), 25_000).await;
        run_slow(&world, &engine, &names("well", 20), 25_000).await;
        store.set(mood);
        for name in names("new", 20) {
            let failed = {
                let engine = engine.clone();
                let name = format!("dead-{name}");
                tokio::spawn(async move { run(&engine, &name).await })
            };
            run(&engine, &name).await.unwrap();
            assert!(is_unavailable(&failed.await.unwrap()));
            sleep(Duration::from_millis(500)).await;
        }
        sleep(Duration::from_secs(20)).await;
        for name in names("well", 20) {
            let stored = world.store.peek(&gid(&name)).unwrap();
            assert_eq!(stored.header.status, Status::Committed, "{name}: {mood:?}");
            assert_eq!(stored.header.token.0, 1, "its lease was renewed: {name}");
        }
        store.set(Mood::Well);
        for name in names("dead", 20) {
            assert_eq!(settled(&engine, &name).await.status(), Status::Committed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_store_is_away_ends_within_its_grace() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let world = World::new();
        let (store, engine) = house(&world).await;
        run_slow(&world, &engine, &names("g", 10), 60_000).await;
        store.set(mood);
        sleep(Duration::from_secs(3)).await;
        let begun = Instant::now();
        engine.stop(GRACE).await;
        let took = begun.elapsed();
        assert!(took <= GRACE + Duration::from_millis(20), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_hands_over_when_the_store_is_back_within_its_grace() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    run_slow(&world, &engine, &names("g", 10), 60_000).await;
    store.set(Mood::Refuses);
    sleep(Duration::from_millis(1_500)).await;
    let back = async {
        sleep(GRACE / 2).await;
        store.set(Mood::Well);
    };
    tokio::join!(engine.stop(GRACE), back);
    for name in names("g", 10) {
        let header = world.store.peek(&gid(&name)).unwrap().header;
        assert_eq!(header.lease_until, None, "{name} is handed over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_without_a_store_fails_within_the_time_of_one_question() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let world = World::new();
        let store = Moody::new(&world.store);
        store.set(mood);
        let begun = Instant::now();
        let started = Engine::start(
            Arc::new(store),
            world.script.clone(),
            Arc::new(VirtualClock(world.start)),
            Config::new(Owner(1)),
        );
        let error = started.await.map(|_| ()).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        assert!(begun.elapsed() <= Duration::from_secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn many_probes_at_once_cost_the_store_one_ping() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    for mood in [Mood::Well, Mood::Slow(300)] {
        store.set(mood);
        let before = store.asked.pings.load(Ordering::Relaxed);
        let probes = (0..1_000).map(|_| engine.health());
        let answers = futures_util::future::join_all(probes).await;
        assert!(answers.iter().all(|health| health.store));
        let pings = store.asked.pings.load(Ordering::Relaxed) - before;
        assert_eq!(pings, 1, "{mood:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn thousands_who_wait_for_another_server_share_a_thousand_looks_in_a_second() {
    let world = World::new();
    let driver = world.engine(1).await;
    run_slow(&world, &driver, &names("g", 1), 30_000).await;
    let store = Moody::new(&world.store);
    let other = world.engine_on(Arc::new(store.clone()), 2).await;
    let waits = (0..5_000).map(|_| other.wait(gid("g-0"), Duration::from_secs(60)));
    let waits = futures_util::future::join_all(waits);
    let watch = async {
        // Each of them looks once when it begins.
        sleep(Duration::from_secs(10)).await;
        let before = store.asked.loads.load(Ordering::Relaxed);
        sleep(Duration::from_secs(10)).await;
        store.asked.loads.load(Ordering::Relaxed) - before
    };
    let (answers, looks) = tokio::join!(waits, watch);
    assert!(looks <= 12_000, "{looks} looks in ten seconds");
    let settled = answers
        .iter()
        .filter(|waited| matches!(waited, Ok(seata_engine::Waited::Settled(_))));
    assert_eq!(settled.count(), 5_000);
}

/// Counts the calls in flight, and lets those of branch `b` be unknown at once.
#[derive(Default)]
struct Flying(Arc<AtomicUsize>);

struct Landed(Arc<AtomicUsize>);

impl Drop for Landed {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Caller for Flying {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        self.0.fetch_add(1, Ordering::Relaxed);
        let _landed = Landed(Arc::clone(&self.0));
        if call.branch.branch_id.as_str() == "b" {
            return unknown();
        }
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_given_up_when_the_lease_ends_however_long_the_store_takes() {
    let world = World::new();
    let store = Moody::new(&world.store);
    let flying = Flying::default();
    let calls = Arc::clone(&flying.0);
    let config = Config {
        lease: Duration::from_secs(3),
        store_timeout: Duration::from_secs(60),
        ..Config::new(Owner(1))
    };
    let clock = Arc::new(VirtualClock(world.start));
    let engine = Engine::start(Arc::new(store.clone()), Arc::new(flying), clock, config)
        .await
        .unwrap();
    let saga = saga(&[("a", &[]), ("b", &[])]);
    engine.run(gid("g"), saga).await.unwrap();
    // The answer of `b` waits for the store; `a` has not answered.
    store.set(Mood::Hangs);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    sleep(Duration::from_secs(3)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 0, "another may begin it now");
}

/// Lets the first action of `a` take effect without an answer, and refuses the one of `b`.
#[derive(Default)]
struct Silent(Mutex<Vec<String>>);

#[async_trait]
impl Caller for Silent {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, _: Slot) -> Outcome {
        let called = format!("{} {}", call.operation, call.branch.branch_id);
        let first = {
            let mut calls = self.0.lock().unwrap();
            calls.push(called.clone());
            calls.iter().filter(|other| **other == called).count() == 1
        };
        match called.as_str() {
            "action a" if first => std::future::pending().await,
            "action b" => {
                sleep(Duration::from_millis(10)).await;
                refused()
            }
            _ => Outcome::Success,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_is_not_forgotten_when_a_late_renewal_brings_the_lease_back() {
    let world = World::new();
    let store = Moody::new(&world.store);
    let caller = Arc::new(Silent::default());
    let config = Config {
        lease: Duration::from_secs(3),
        store_timeout: Duration::from_secs(4),
        ..Config::new(Owner(1))
    };
    let clock = Arc::new(VirtualClock(world.start));
    let (kept, calls) = (Arc::new(store.clone()), Arc::clone(&caller));
    let engine = Engine::start(kept, calls, clock, config).await.unwrap();
    engine
        .run(gid("g"), saga(&[("a", &[]), ("b", &[])]))
        .await
        .unwrap();
    // The refusal of `b` waits for the store beyond the end of the lease; a renewal is answered a quarter of a second after it.
    store.set(Mood::AppendsHang(2_500));
    sleep(Duration::from_millis(3_300)).await;
    store.set(Mood::Well);
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    let calls = caller.0.lock().unwrap().clone();
    assert!(
        calls.contains(&"compensation a".to_owned()),
        "its action may have taken effect: {calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_store_whose_ping_fails_is_found_again_by_those_who_create() {
    let world = World::new();
    let (store, engine) = house(&world).await;
    store.set(Mood::Refuses);
    sleep(Duration::from_secs(10)).await;
    store.set(Mood::PingsRefused);
    let mut answers = Vec::new();
    for name in names("g", 12) {
        answers.push(run(&engine, &name).await.is_ok());
        sleep(Duration::from_millis(500)).await;
    }
    assert!(answers[11], "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_in_twice_the_time_of_one_question_however_many_wait_for_a_slow_store()
 {
    let world = World::new();
    let (store, engine) = house(&world).await;
    store.set(Mood::Slow(1_900));
    let all = names("g", 4_000);
    let begun = Instant::now();
    let answers = all.iter().map(|name| run(&engine, name));
    futures_util::future::join_all(answers).await;
    let took = begun.elapsed();
    assert!(took <= Duration::from_millis(4_250), "{took:?}");
    store.set(Mood::Well);
    for name in &all {
        // Until the store has answered what it was asked before.
        while let Err(EngineError::Overloaded { .. }) = run(&engine, name).await {
            sleep(Duration::from_millis(100)).await;
        }
        run(&engine, name).await.unwrap();
    }
}
