//! A stop hands everything over, whatever comes in while it begins.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use common::moody::{Mood, Moody};
use common::*;
use seata_core::{Operation, Outcome};
use seata_engine::{Clock, Config, Engine, Task};
use seata_store::{ClaimLimit, Owner, TxnStore};

/// Begins the stop of its engine at the moment when the next task is spawned.
struct Stopper {
    clock: VirtualClock,
    stop_next: Mutex<Option<Engine>>,
}

impl Clock for Stopper {
    fn boot(&self) -> Duration {
        self.clock.boot()
    }
    fn spawn(&self, task: Task) {
        if let Some(engine) = self.stop_next.lock().unwrap().take() {
            let mut stop = Box::pin(async move { engine.stop(GRACE).await });
            assert!(
                stop.as_mut()
                    .poll(&mut Context::from_waker(Waker::noop()))
                    .is_pending()
            );
            self.clock.spawn(stop);
        }
        self.clock.spawn(task);
    }
}

const GRACE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn what_is_claimed_while_the_stop_begins_is_given_back_at_once() {
    let world = World::new();
    let one = world.engine(1).await;
    run_some_that_wait(&world, &one).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.stop(GRACE).await;
    assert_eq!(world.script.calls().len(), 3);
    // By now all are due: one claim takes them.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let clock = Arc::new(Stopper {
        clock: VirtualClock(world.start),
        stop_next: Mutex::default(),
    });
    let other = Engine::start(
        Arc::new(world.store.clone()),
        world.script.clone(),
        clock.clone(),
        Config::new(Owner(2)),
    )
    .await
    .unwrap();
    // The next task is the driver of the first transaction of a claim; the other ones are posted after the stop began.
    *clock.stop_next.lock().unwrap() = Some(other.clone());
    while clock.stop_next.lock().unwrap().is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.script.calls().len(), 3, "called while stopping");
    let everything = ClaimLimit {
        count: 9,
        bytes: 1 << 20,
    };
    let lasts = Duration::from_secs(10);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let due = world.store.claim_due(Owner(3), lasts, everything).await;
    assert_eq!(due.unwrap().len(), 3, "given back");
}

/// Sagas that are called again after 10 s.
async fn run_some_that_wait(world: &World, engine: &Engine) {
    let mut options = options();
    options.retry.first = Duration::from_secs(10);
    for name in ["a", "b", "c"] {
        world.script.say(
            name,
            Operation::Action,
            [(1, unknown()), (60_000, Outcome::Success)],
        );
        let saga = saga_with(&[(name, &[])], options.clone());
        engine.run(gid(name), saga).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_claim_under_way_brings_is_given_back_before_the_stop_ends() {
    let world = World::new();
    let one = world.engine(1).await;
    run_some_that_wait(&world, &one).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    one.stop(GRACE).await;
    // By now all are due: the first claim takes them, and is answered later.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let late = Moody::new(&world.store);
    late.set(Mood::ClaimsAnsweredLate(1_000));
    let other = world.engine_on(Arc::new(late.clone()), 2).await;
    while late.asked.claims.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    other.stop(GRACE).await;
    assert_eq!(world.script.calls().len(), 3, "called while stopping");
    let everything = ClaimLimit {
        count: 9,
        bytes: 1 << 20,
    };
    let lasts = Duration::from_secs(10);
    let due = world.store.claim_due(Owner(3), lasts, everything).await;
    assert_eq!(due.unwrap().len(), 3, "given back");
}

/// A program that embeds the engine can open its store again.
#[tokio::test(start_paused = true)]
async fn a_stopped_engine_lets_go_of_its_store() {
    let world = World::new();
    let store = Arc::new(world.store.clone());
    let held = Arc::downgrade(&store);
    let engine = world.engine_on(store, 1).await;
    let saga = saga_with(&[("a", &[])], options());
    engine.run(gid("one"), saga).await.unwrap();
    settled(&engine, "one").await;
    engine.stop(GRACE).await;
    drop(engine);
    let deadline = tokio::time::Instant::now() + GRACE;
    while held.strong_count() > 0 {
        assert!(tokio::time::Instant::now() < deadline, "the store is held");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
