//! Several servers that write to one transaction: each order is recorded, and nobody is refused for the others' sake.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::moody::{Mood, Moody};
use common::*;
use seata_core::{ContentType, Definition, Operation, Outcome, Payload, Status};
use seata_engine::Config;
use seata_store::Owner;
use tokio::time::Instant;

/// So many branches each of three servers adds, so many of them at a time.
const EACH: usize = 60;

#[tokio::test(start_paused = true)]
async fn three_servers_add_branches_to_one_transaction_and_none_is_refused() {
    let world = World::new();
    let store = Moody::new(&world.store);
    store.set(Mood::Uneven(8));
    let mut engines = Vec::new();
    for owner in 1..=3 {
        engines.push(world.engine_on(Arc::new(store.clone()), owner).await);
    }
    engines[0].begin(gid("hot"), saga(&[])).await.unwrap();
    let adding = engines.iter().enumerate().map(|(at, engine)| async move {
        let mut refused = 0;
        for number in 0..EACH {
            let name = format!("b{at}-{number}");
            let added = engine.add_branch(gid("hot"), branch(&name, &[])).await;
            refused += usize::from(added.is_err());
        }
        refused
    });
    let refused = futures_util::future::join_all(adding).await;
    assert_eq!(refused, [0, 0, 0]);
    let snapshot = engines[0].get(&gid("hot")).await.unwrap();
    assert_eq!(snapshot.status(), Status::Prepared);
    assert_eq!(snapshot.transaction.branch_count(), 3 * EACH);
}

/// A saga of one branch whose payload has so many bytes.
fn heavy(name: &str, bytes: usize) -> Arc<Definition> {
    let mut definition = Definition::clone(&saga(&[(name, &[])]));
    definition.payload = Some(Payload {
        content_type: ContentType::Json,
        bytes: vec![b'1'; bytes].into(),
    });
    Arc::new(definition)
}

#[tokio::test(start_paused = true)]
async fn what_a_full_server_claims_goes_to_one_with_room_before_the_lease_ends() {
    let world = World::new();
    let config = |owner| Config {
        linger: Duration::ZERO,
        ..Config::new(Owner(owner))
    };
    let full = Config {
        active_bytes_max: 50_000,
        ..config(1)
    };
    let full = world.engine_with(Arc::new(world.store.clone()), full).await;
    let slow = [(600_000, Outcome::Success)];
    world.script.say("slow", Operation::Action, slow);
    full.run(gid("big"), heavy("slow", 30_000)).await.unwrap();
    let free = world
        .engine_with(Arc::new(world.store.clone()), config(2))
        .await;
    let mut latest = Duration::ZERO;
    for name in (0..40).map(|number| format!("due-{number}")) {
        world.script.say("a", Operation::Action, [(0, unknown())]);
        let begun = Instant::now();
        free.run(gid(&name), heavy("a", 20_000)).await.unwrap();
        settled(&free, &name).await;
        latest = latest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(37)).await;
    }
    assert!(latest < Duration::from_secs(3), "{latest:?}");
}
