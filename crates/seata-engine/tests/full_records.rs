//! A record that has come to its store's bound: what was accepted goes on, and what would leave no room for that is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use seata_core::{BranchDefinition, ContentType, Operation, Outcome, Payload, Reason, Status};
use seata_engine::{Engine, EngineError, Waited};
use seata_store::{StoreLimits, TxnStore};

const RECORD_BYTES_MAX: usize = 64 << 10;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn bounded() -> World {
    World::bounded(StoreLimits {
        record_bytes_max: RECORD_BYTES_MAX,
        ..StoreLimits::default()
    })
}

/// As long as a participant's answer may be.
fn unknown() -> Outcome {
    Outcome::Unknown {
        reason: Reason::new(&"503 ".repeat(Reason::BYTES_MAX)),
    }
}

fn refusal() -> Outcome {
    Outcome::Failure {
        reason: Reason::new(&"no ".repeat(Reason::BYTES_MAX)),
    }
}

fn large(name: &str, bytes: usize) -> Arc<BranchDefinition> {
    let mut branch = Arc::unwrap_or_clone(branch(name, &[]));
    branch.payload = Some(Payload {
        content_type: ContentType::Json,
        bytes: vec![b'x'; bytes].into(),
    });
    Arc::new(branch)
}

async fn ended(engine: &Engine, name: &str) -> Status {
    let a_month = Duration::from_secs(30 * 24 * 3_600);
    match engine.wait(gid(name), a_month).await.unwrap() {
        Waited::Settled(snapshot) | Waited::Pending(snapshot) => snapshot.status(),
    }
}

/// Far less than compaction by the number of attempts waits for, and far more than the record holds.
const ATTEMPTS: usize = 90;

#[tokio::test(start_paused = true)]
async fn a_saga_whose_participants_are_silent_for_long_commits_however_little_a_record_holds() {
    let world = bounded();
    for name in NAMES {
        let silent = (0..ATTEMPTS).map(|_| (0, unknown()));
        world.script.say(name, Operation::Action, silent);
    }
    let engine = world.engine(1).await;
    let branches = NAMES.map(|name| (name, &[] as &[&str]));
    engine.run(gid("g"), saga(&branches)).await.unwrap();
    assert_eq!(ended(&engine, "g").await, Status::Committed);
    let stored = world.store.load(&gid("g")).await.unwrap().unwrap();
    let (transaction, _) = seata_store::record::transaction(&stored).unwrap();
    for branch in transaction.branches() {
        assert_eq!(branch.operations[0].calls as usize, ATTEMPTS + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_turns_round_beside_much_silence_is_undone() {
    let world = bounded();
    for name in NAMES {
        let silent = |attempts| (0..attempts).map(|_| (0, unknown()));
        world.script.say(name, Operation::Action, silent(ATTEMPTS));
        world
            .script
            .say(name, Operation::Compensation, silent(ATTEMPTS));
    }
    let refused = (0..ATTEMPTS)
        .map(|_| (0, unknown()))
        .chain([(0, refusal())]);
    world.script.say("h", Operation::Action, refused);
    let engine = world.engine(1).await;
    let branches = NAMES.map(|name| (name, &[] as &[&str]));
    engine.run(gid("g"), saga(&branches)).await.unwrap();
    assert_eq!(ended(&engine, "g").await, Status::Aborted);
}

/// Whatever is accepted leaves room for what becomes of it.
#[tokio::test(start_paused = true)]
async fn branches_are_refused_before_they_fill_a_record() {
    let world = bounded();
    let silent = (0..ATTEMPTS).map(|_| (0, unknown()));
    world.script.say("b0", Operation::Action, silent);
    let engine = world.engine(1).await;
    engine.begin(gid("g"), saga(&[])).await.unwrap();
    let mut added = 0;
    let refused = loop {
        let branch = large(&format!("b{added}"), 5 << 10);
        match engine.add_branch(gid("g"), Arc::clone(&branch)).await {
            Ok(_) => added += 1,
            Err(error) => break error,
        }
        // One that is known takes no room.
        engine.add_branch(gid("g"), branch).await.unwrap();
    };
    assert!(matches!(refused, EngineError::TooLarge), "{refused}");
    assert!(
        (4..RECORD_BYTES_MAX / (5 << 10)).contains(&added),
        "{added}"
    );
    engine.submit(gid("g")).await.unwrap();
    assert_eq!(ended(&engine, "g").await, Status::Committed);
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_would_leave_no_room_is_refused_and_leaves_nothing_behind() {
    let world = bounded();
    let engine = world.engine(1).await;
    let mut whole = Arc::unwrap_or_clone(saga(&[]));
    whole.branches = vec![large("a", RECORD_BYTES_MAX - (4 << 10))];
    let refused = engine.run(gid("g"), Arc::new(whole)).await.unwrap_err();
    assert!(matches!(refused, EngineError::TooLarge), "{refused}");
    assert_eq!(world.store.load(&gid("g")).await.unwrap(), None);
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(ended(&engine, "g").await, Status::Committed);
}
