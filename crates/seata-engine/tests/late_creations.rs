//! A creation whose answer was lost and which the store applies long after, as one does that was frozen.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::faults::Listed;
use common::*;
use seata_core::{Operation, Outcome, Status};
use seata_engine::{Engine, EngineError};
use seata_store_mem::{AppendFault, FaultyStore, MemStore};
use tokio::time::sleep;

/// An engine whose first creation was sent, and whose store then refused all until whoever asked was told so.
async fn in_doubt(world: &World) -> (Engine, Arc<FaultyStore<MemStore>>) {
    let faults = [AppendFault::AppliesLate, AppendFault::Unavailable];
    let faults = Listed::new(faults);
    let store = Arc::new(FaultyStore::new(world.store.clone(), faults));
    let engine = world.engine_on(Arc::clone(&store) as _, 1).await;
    let asked = engine.run(gid("g"), saga(&[("a", &[])])).await;
    assert!(matches!(asked, Err(EngineError::StoreUnavailable { .. })));
    (engine, store)
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_again_waits_for_no_lease_however_late_the_creation_was_applied() {
    for late_ms in [500, 4_000, 6_000, 9_000, 20_000] {
        let world = World::new();
        let (engine, store) = in_doubt(&world).await;
        sleep(Duration::from_millis(late_ms)).await;
        assert_eq!(store.release_late().await, 1);
        sleep(Duration::from_millis(100)).await;
        let asked_at = world.start.elapsed();
        engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
        assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
        let took = world.start.elapsed() - asked_at;
        assert!(took < Duration::from_secs(1), "{late_ms}: {took:?}");
        // Longer than any lease.
        sleep(Duration::from_secs(30)).await;
        assert_eq!(world.script.calls(), ["action a#1"], "{late_ms}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_in_doubt_is_forgotten_in_time_and_holds_up_no_stop() {
    let world = World::new();
    let (engine, _) = in_doubt(&world).await;
    assert_eq!(engine.health().await.active, 1);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(engine.health().await.active, 0);
    let world = World::new();
    let (engine, _) = in_doubt(&world).await;
    let asked_at = world.start.elapsed();
    engine.stop(Duration::from_secs(20)).await;
    assert!(world.start.elapsed() - asked_at < Duration::from_secs(1));
    assert_eq!(engine.health().await.active, 0);
}

/// Seed 472 of the simulation once told SUBMITTED after COMMITTED.
#[tokio::test(start_paused = true)]
async fn whoever_waits_with_a_creation_in_doubt_tells_what_others_wrote_meanwhile() {
    let world = World::new();
    let (engine, _) = in_doubt(&world).await;
    world
        .script
        .say("a", Operation::Action, [(1_000, Outcome::Success)]);
    let other = world.engine(2).await;
    other.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let told = engine.submit(gid("g")).await.unwrap();
    assert_eq!(told.status(), Status::Submitted);
    settled(&other, "g").await;
    let told = engine.submit(gid("g")).await.unwrap();
    assert_eq!(told.status(), Status::Committed);
}
