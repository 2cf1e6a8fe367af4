//! Who takes over without a claim, by a question of a client: what it tells of, and what it leaves to the next driver.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::distant::Distant;
use common::*;
use seata_core::{
    AttemptId, BranchId, BranchIndex, CompletionEnd, Fact, Input, Operation, RetryPolicy, Status,
};
use seata_engine::{Completion, Config, Engine};
use seata_store::{Append, AppendOutcome, ClaimLimit, FencingToken, LeaseChange, Owner, TxnStore};

const HOUR: Duration = Duration::from_secs(3_600);

fn definition() -> std::sync::Arc<seata_core::Definition> {
    let patient = seata_core::Options {
        retry: RetryPolicy {
            first: HOUR,
            max: HOUR,
            max_attempts: 0,
        },
        ..options()
    };
    saga_with(&[("a", &[]), ("b", &["a"])], patient)
}

/// Leaves a saga in the store as a server that broke down leaves it: `a` gave no answer, and is called again in an hour.
async fn left_to_nobody(world: &World) {
    let silent = Input::Answered {
        branch: BranchIndex(0),
        operation: Operation::Action,
        attempt: AttemptId {
            token: FencingToken(1),
            number: 1,
        },
        outcome: unknown(),
        took: Duration::ZERO,
    };
    left_behind(world, definition(), [Input::Submit, silent]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Nobody's lease: as after a restart of the embedded store.
    let claimed = world
        .store
        .claim_due(Owner(9), Duration::from_secs(1), ALL)
        .await;
    assert_eq!(claimed.unwrap().len(), 1);
    let header = world.store.peek(&gid("g")).unwrap().header;
    let released = Append {
        lease: LeaseChange::Release,
        ..Append::to(&header)
    };
    let applied = world.store.append(vec![released]).await;
    assert!(matches!(applied[..], [Ok(AppendOutcome::Applied(_))]));
}

const ALL: ClaimLimit = ClaimLimit {
    count: 10,
    bytes: usize::MAX,
};

/// Answers an engine that claims nothing by itself but at its start.
async fn asked_only(world: &World) -> Engine {
    let config = Config {
        claim_interval: 1_000 * HOUR,
        ..Config::new(Owner(1))
    };
    world
        .engine_with(std::sync::Arc::new(world.store.clone()), config)
        .await
}

async fn recovered(engine: &Engine) -> usize {
    let (_, events) = engine.history(&gid("g")).await.unwrap();
    let recovered = events
        .iter()
        .filter(|event| matches!(event.fact, Fact::Recovered { .. }));
    recovered.count()
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_is_repeated_recovers_nothing_twice() {
    let world = World::new();
    let engine = asked_only(&world).await;
    left_to_nobody(&world).await;
    for _ in 0..5 {
        engine.run(gid("g"), definition()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert_eq!(recovered(&engine).await, 1);
    assert!(world.script.calls().is_empty());
}

/// The claim's answer tells what was there before.
#[tokio::test(start_paused = true)]
async fn what_was_completed_while_a_claim_is_on_its_way_is_not_called_again() {
    let world = World::new();
    left_behind(&world, saga(&[("a", &[]), ("b", &["a"])]), [Input::Submit]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let distant = Distant::new(&world.store);
    distant.claim_back_ms.store(1_000, Ordering::Relaxed);
    let engine = world.engine_on(Arc::new(distant), 1).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let done = Completion {
        branch: BranchId::parse("a").unwrap(),
        operation: Some(Operation::Action),
        end: CompletionEnd::Succeeded,
    };
    engine.complete(gid("g"), done).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert_eq!(world.script.calls(), ["action b#1"]);
}
