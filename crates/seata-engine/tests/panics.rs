//! A store that panics is one that fails: whatever asked it goes on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::*;
use seata_core::{Operation, Outcome, Status};
use seata_engine::EngineError;
use seata_store::Append;
use seata_store_mem::{AppendFault, Faults, FaultyStore, OtherFault, StoreCall};

/// Panics in one call: the first one of its kind behind so many.
struct PanicsOnce {
    call: Option<StoreCall>,
    well: AtomicUsize,
}

impl PanicsOnce {
    fn in_append(behind: usize) -> Arc<Self> {
        let (call, well) = (None, AtomicUsize::new(behind));
        Arc::new(Self { call, well })
    }

    fn in_first(call: StoreCall) -> Arc<Self> {
        let (call, well) = (Some(call), AtomicUsize::new(0));
        Arc::new(Self { call, well })
    }

    fn came(&self, call: Option<StoreCall>) {
        if call == self.call && self.well.fetch_sub(1, Ordering::Relaxed) == 0 {
            panic!("a bug of the adapter");
        }
    }

    fn has_panicked(&self) -> bool {
        self.well.load(Ordering::Relaxed) > usize::MAX / 2
    }
}

impl Faults for PanicsOnce {
    fn on_append(&self, _: &[Append]) -> AppendFault {
        self.came(None);
        AppendFault::None
    }
    fn on_other(&self, call: StoreCall) -> OtherFault {
        self.came(Some(call));
        OtherFault::None
    }
}

fn store(world: &World, panics: &Arc<PanicsOnce>) -> Arc<FaultyStore<seata_store_mem::MemStore>> {
    Arc::new(FaultyStore::new(world.store.clone(), panics.clone()))
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_an_append_is_an_append_without_an_answer() {
    let world = World::new();
    let panics = PanicsOnce::in_append(1);
    let engine = world.engine_on(store(&world, &panics), 1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert!(panics.has_panicked());
    assert_eq!(world.script.calls(), ["action a#1"]);
}

#[tokio::test(start_paused = true)]
async fn claims_go_on_behind_one_that_panics() {
    let world = World::new();
    left_behind(&world, saga(&[("a", &[])]), [seata_core::Input::Submit]).await;
    let panics = PanicsOnce::in_first(StoreCall::ClaimDue);
    let engine = world.engine_on(store(&world, &panics), 1).await;
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert!(panics.has_panicked());
}

#[tokio::test(start_paused = true)]
async fn renewals_go_on_behind_one_that_panics() {
    let world = World::new();
    let panics = PanicsOnce::in_first(StoreCall::Renew);
    let engine = world.engine_on(store(&world, &panics), 1).await;
    let slow = [(60_000, Outcome::Success)];
    world.script.say("a", Operation::Action, slow);
    let mut options = options();
    options.request_timeout = Duration::from_secs(100);
    let saga = saga_with(&[("a", &[])], options);
    engine.run(gid("g"), saga).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert!(panics.has_panicked());
    assert_eq!(world.script.calls(), ["action a#1"], "a lease was lost");
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_loading_is_told_as_a_store_that_is_away() {
    let world = World::new();
    let panics = PanicsOnce::in_first(StoreCall::Load);
    let engine = world.engine_on(store(&world, &panics), 1).await;
    engine.begin(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let told = engine.get(&gid("g")).await;
    assert!(matches!(told, Err(EngineError::StoreUnavailable { .. })));
    engine.get(&gid("g")).await.unwrap();
}
