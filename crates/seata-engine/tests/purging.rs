//! What ended long ago is purged, by whichever server; nobody is told of it any more.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::moody::{Mood, Moody};
use common::*;
use seata_core::{Operation, Outcome, Status};
use seata_engine::{Config, Engine, EngineError};
use seata_store::Owner;
use tokio::time::sleep;

const RETENTION: Duration = Duration::from_secs(60);

fn config(owner: u128) -> Config {
    Config {
        retention: RETENTION,
        ..Config::new(Owner(owner))
    }
}

async fn keeper(world: &World, owner: u128) -> Engine {
    let store = Arc::new(world.store.clone());
    world.engine_with(store, config(owner)).await
}

#[tokio::test(start_paused = true)]
async fn what_ended_is_kept_for_the_retention_and_then_purged_and_what_is_open_never_is() {
    let world = World::new();
    let engine = keeper(&world, 1).await;
    let slow = (0..1).map(|_| (900_000, Outcome::Success));
    world.script.say("slow", Operation::Action, slow);
    engine
        .run(gid("open"), saga(&[("slow", &[])]))
        .await
        .unwrap();
    for at in 0..300 {
        let name = gid(&format!("ended-{at}"));
        engine.run(name, saga(&[("a", &[])])).await.unwrap();
    }
    settled(&engine, "ended-299").await;
    sleep(RETENTION - Duration::from_secs(2)).await;
    assert_eq!(world.store.headers().len(), 301);
    sleep(Duration::from_secs(45)).await;
    let left = world.store.headers();
    assert_eq!(left.len(), 1, "in batches, without a pause of an interval");
    assert_eq!(left[0].gid, gid("open"));
}

#[tokio::test(start_paused = true)]
async fn no_server_tells_of_an_end_from_memory_that_another_may_have_purged() {
    let world = World::new();
    let one = keeper(&world, 1).await;
    let other = keeper(&world, 2).await;
    one.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    settled(&one, "g").await;
    // The other one purges and creates the name anew while this one still knows how it ended.
    while world.store.peek(&gid("g")).is_some() {
        sleep(Duration::from_millis(100)).await;
    }
    let gone = one.get(&gid("g")).await;
    assert!(matches!(gone, Err(EngineError::NotFound { .. })));
    other.begin(gid("g"), saga(&[("b", &[])])).await.unwrap();
    assert_eq!(one.get(&gid("g")).await.unwrap().status(), Status::Prepared);
}

#[tokio::test(start_paused = true)]
async fn a_short_retention_leaves_no_time_to_answer_from_memory() {
    let world = World::new();
    let config = Config {
        retention: Duration::from_secs(1),
        ..Config::new(Owner(1))
    };
    let store = Moody::new(&world.store);
    let engine = world.engine_with(Arc::new(store.clone()), config).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    settled(&engine, "g").await;
    store.set(Mood::Refuses);
    let told = engine.get(&gid("g")).await;
    assert!(matches!(told, Err(EngineError::StoreUnavailable { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_purge_goes_on_when_the_store_is_back_and_ends_with_the_engine() {
    let world = World::new();
    let store = Moody::new(&world.store);
    let engine = world.engine_with(Arc::new(store.clone()), config(1)).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    settled(&engine, "g").await;
    store.set(Mood::Refuses);
    sleep(RETENTION * 2).await;
    store.set(Mood::Well);
    sleep(Duration::from_secs(40)).await;
    assert!(world.store.headers().is_empty());
    engine.run(gid("h"), saga(&[("a", &[])])).await.unwrap();
    settled(&engine, "h").await;
    engine.stop(Duration::from_secs(1)).await;
    sleep(RETENTION * 3).await;
    assert_eq!(world.store.headers().len(), 1);
}
