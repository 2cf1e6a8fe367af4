//! A call that waits for its slot has not left: it is never made once it isn't wanted any more.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use seata_core::{Endpoint, Operation, Outcome, Reason, Status};
use seata_engine::{Call, Caller, Config, Engine, Order, Slot};
use seata_store::Owner;

/// Has no slot for calls to `full` for a while.
struct Full(Arc<Script>);

#[async_trait]
impl Caller for Full {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        if endpoint.authority() == "full" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        self.0.call(call, slot).await
    }
}

async fn engine(world: &World) -> Engine {
    Engine::start(
        Arc::new(world.store.clone()),
        Arc::new(Full(world.script.clone())),
        Arc::new(VirtualClock(world.start)),
        Config::new(Owner(1)),
    )
    .await
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_past_the_deadline_is_never_made() {
    let world = World::new();
    let engine = engine(&world).await;
    let mut options = options();
    options.timeout_to_fail = Some(Duration::from_secs(2));
    let saga = saga_with(&[("ok", &[]), ("full", &[])], options);
    engine.run(gid("g"), saga).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let calls = world.script.calls();
    assert_eq!(calls, ["action ok#1", "compensation ok#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_never_made_once_the_saga_turned_round() {
    let world = World::new();
    let engine = engine(&world).await;
    world
        .script
        .say("no", Operation::Action, [(500, refused())]);
    for (name, branches) in [("asked", ["ok", "full"]), ("refused", ["no", "full"])] {
        let saga = saga(&[(branches[0], &[]), (branches[1], &[])]);
        engine.run(gid(name), saga).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    engine
        .abort(gid("asked"), Reason::new("enough"))
        .await
        .unwrap();
    assert_eq!(settled(&engine, "asked").await.status(), Status::Aborted);
    assert_eq!(settled(&engine, "refused").await.status(), Status::Aborted);
    tokio::time::sleep(Duration::from_secs(120)).await;
    let calls = world.script.calls();
    assert_eq!(calls, ["action ok#1", "action no#1", "compensation ok#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_is_never_made_once_an_operator_skipped_it() {
    let world = World::new();
    let engine = engine(&world).await;
    world
        .script
        .say("slow", Operation::Action, [(90_000, Outcome::Success)]);
    let saga = saga(&[("full", &[]), ("slow", &[])]);
    engine.run(gid("g"), saga).await.unwrap();
    let skip = Order::Skip {
        branch: seata_core::BranchId::parse("full").unwrap(),
        operation: None,
        reason: Reason::new("done by hand"),
    };
    engine.order(gid("g"), skip).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(world.script.calls(), ["action slow#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_what_waits_to_whoever_goes_on() {
    let world = World::new();
    let engine = engine(&world).await;
    engine.run(gid("g"), saga(&[("full", &[])])).await.unwrap();
    engine.stop(Duration::from_secs(90)).await;
    assert!(world.script.calls().is_empty());
    let other = world.engine(2).await;
    assert_eq!(settled(&other, "g").await.status(), Status::Committed);
    assert_eq!(world.script.calls(), ["action full#1"]);
}
