//! A release of the lease whose answer is lost: what is known stays known, and nobody is called while it is uncertain
//! who drives.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::faults::Listed;
use common::*;
use seata_core::{Endpoint, Operation, Outcome, Reason, Status};
use seata_engine::{Call, Caller, Config, Engine, Slot, Snapshot};
use seata_store::Owner;
use seata_store_mem::{AppendFault, FaultyStore, MemStore};

/// Counts the calls that are made under a lease that the store doesn't show as held.
struct Watchful {
    script: Arc<Script>,
    store: MemStore,
    unleased: AtomicU64,
}

#[async_trait]
impl Caller for Watchful {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        let header = self.store.peek(&call.gid).unwrap().header;
        if header.lease_until.is_none() || header.token != call.attempt.token {
            self.unleased.fetch_add(1, Ordering::Relaxed);
        }
        self.script.call(call, slot).await
    }
}

/// One server, and a way to the store on which the second append meets faults.
struct Scene {
    world: World,
    store: Arc<FaultyStore<MemStore>>,
    caller: Arc<Watchful>,
    engine: Engine,
}

impl Scene {
    async fn new(faults: impl IntoIterator<Item = AppendFault>) -> Self {
        let world = World::new();
        let faults = Listed::behind_the_first(faults);
        let store = Arc::new(FaultyStore::new(world.store.clone(), faults));
        let caller = Arc::new(Watchful {
            script: Arc::clone(&world.script),
            store: world.store.clone(),
            unleased: AtomicU64::new(0),
        });
        let clock = Arc::new(VirtualClock(world.start));
        let config = Config::new(Owner(1));
        let engine = Engine::start(
            Arc::clone(&store) as _,
            Arc::clone(&caller) as _,
            clock,
            config,
        );
        let engine = engine.await.unwrap();
        Self {
            world,
            store,
            caller,
            engine,
        }
    }

    /// Applies late, at that time, what the faults held back.
    fn apply_late_at(&self, ms: u64) {
        let (store, at) = (
            Arc::clone(&self.store),
            self.world.start + Duration::from_millis(ms),
        );
        drop(tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            store.release_late().await
        }));
    }

    /// Waits for the end, and longer than any lease lasts after it.
    async fn end(&self) -> Snapshot {
        let ended = settled(&self.engine, "g").await;
        let told_after = self.world.start.elapsed();
        assert!(
            told_after < Duration::from_secs(6),
            "told after {told_after:?}"
        );
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(self.caller.unleased.load(Ordering::Relaxed), 0);
        ended
    }
}

/// Faults of an append, and when it takes effect if that is late.
const LOSSES: [(AppendFault, u64); 6] = [
    (AppendFault::LostReply, 0),
    (AppendFault::Hang, 0),
    (AppendFault::HangAfter, 0),
    (AppendFault::AppliesLate, 50),
    (AppendFault::AppliesLate, 500),
    (AppendFault::AppliesLate, 9_000),
];

#[tokio::test(start_paused = true)]
async fn an_end_whose_reply_was_lost_is_told_and_repeats_no_call() {
    for (fault, late_ms) in LOSSES {
        let scene = Scene::new([fault]).await;
        scene.apply_late_at(late_ms);
        let saga = saga(&[("a", &[]), ("b", &["a"])]);
        scene.engine.run(gid("g"), saga).await.unwrap();
        assert_eq!(scene.end().await.status(), Status::Committed);
        let calls = scene.world.script.calls();
        assert_eq!(calls, ["action a#1", "action b#1"], "{fault:?} {late_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_whose_replies_are_lost_one_after_the_other_repeats_no_call() {
    for (fault, late_ms) in LOSSES {
        if fault == AppendFault::Hang {
            continue;
        }
        let scene = Scene::new([fault, AppendFault::LostReply, fault]).await;
        scene.apply_late_at(late_ms);
        scene
            .engine
            .run(gid("g"), saga(&[("a", &[])]))
            .await
            .unwrap();
        assert_eq!(scene.end().await.status(), Status::Committed);
        assert_eq!(
            scene.world.script.calls(),
            ["action a#1"],
            "{fault:?} {late_ms}"
        );
    }
}

/// The release of a saga that waits for its next attempt is uncertain, and an abort comes.
#[tokio::test(start_paused = true)]
async fn an_order_while_a_release_is_uncertain_calls_only_under_a_lease_that_holds() {
    for (fault, late_ms) in LOSSES {
        for ordered_at_ms in [20, 200] {
            let scene = Scene::new([fault]).await;
            let script = &scene.world.script;
            script.say("a", Operation::Action, [(1, unknown())]);
            scene.apply_late_at(late_ms);
            let mut options = options();
            options.retry.first = Duration::from_secs(30);
            let saga = saga_with(&[("a", &[])], options);
            scene.engine.run(gid("g"), saga).await.unwrap();
            tokio::time::sleep(Duration::from_millis(ordered_at_ms)).await;
            let aborted = scene.engine.abort(gid("g"), Reason::new("enough")).await;
            aborted.unwrap();
            assert_eq!(scene.end().await.status(), Status::Aborted);
            let calls = script.calls();
            let expected = ["action a#1", "compensation a#1"];
            assert_eq!(calls, expected, "{fault:?} {late_ms} {ordered_at_ms}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_end_is_uncertain_repeats_no_call() {
    for (fault, late_ms) in LOSSES {
        let scene = Scene::new([fault]).await;
        scene.apply_late_at(late_ms);
        scene
            .engine
            .run(gid("g"), saga(&[("a", &[])]))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        scene.engine.stop(Duration::from_secs(5)).await;
        let status = scene.world.store.peek(&gid("g")).unwrap().header.status;
        assert_eq!(status, Status::Committed, "{fault:?} {late_ms}");
        let other = scene.world.engine(2).await;
        assert_eq!(settled(&other, "g").await.status(), Status::Committed);
        assert_eq!(
            scene.world.script.calls(),
            ["action a#1"],
            "{fault:?} {late_ms}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hand_over_whose_reply_was_lost_hands_over_what_is_known() {
    for (fault, late_ms) in LOSSES {
        let scene = Scene::new([fault]).await;
        let script = &scene.world.script;
        script.say("a", Operation::Action, [(1_000, Outcome::Success)]);
        scene.apply_late_at(1_000 + late_ms);
        scene
            .engine
            .run(gid("g"), saga(&[("a", &[]), ("b", &["a"])]))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        scene.engine.stop(Duration::from_secs(5)).await;
        let other = scene.world.engine(2).await;
        assert_eq!(settled(&other, "g").await.status(), Status::Committed);
        let calls = script.calls();
        assert_eq!(calls, ["action a#1", "action b#1"], "{fault:?} {late_ms}");
    }
}
