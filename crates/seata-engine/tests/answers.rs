//! What clients are told by a server that doesn't drive: never less than another server told before.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::distant::Distant;
use common::*;
use seata_core::{BranchStatus, Operation, Outcome, Reason, Status};
use seata_engine::EngineError;
use seata_store::record;

#[tokio::test(start_paused = true)]
async fn no_question_is_answered_by_what_was_read_before_it_came() {
    let world = World::new();
    let slow = [(300, Outcome::Success)];
    world.script.say("a", Operation::Action, slow);
    let driving = world.engine(1).await;
    let distant = Distant::new(&world.store);
    let asked = world.engine_on(Arc::new(distant.clone()), 2).await;
    let definition = saga(&[("a", &[])]);
    driving
        .run(gid("g"), Arc::clone(&definition))
        .await
        .unwrap();
    // The record is found at once, and is told of a second later.
    distant.append_back_ms.store(1_000, Ordering::Relaxed);
    let run = || {
        let (asked, definition) = (asked.clone(), Arc::clone(&definition));
        tokio::spawn(async move { asked.run(gid("g"), definition).await.unwrap() })
    };
    let early = run();
    assert_eq!(settled(&driving, "g").await.status(), Status::Committed);
    let late = run();
    let refused = {
        let asked = asked.clone();
        tokio::spawn(async move { asked.abort(gid("g"), Reason::new("enough")).await })
    };
    early.await.unwrap();
    assert_eq!(late.await.unwrap().status(), Status::Committed);
    let Err(EngineError::Rejected { present, .. }) = refused.await.unwrap() else {
        panic!("it has ended");
    };
    assert_eq!(present.unwrap().status(), Status::Committed);
}

/// What travels behind is appended in time, however often somebody asks for what can't be.
#[tokio::test(start_paused = true)]
async fn refused_questions_put_off_nothing_that_is_to_be_appended() {
    let world = World::new();
    let slow = [(60_000, Outcome::Success)];
    world.script.say("b", Operation::Action, slow);
    let engine = world.engine(1).await;
    let definition = saga(&[("a", &[]), ("b", &["a"])]);
    engine.run(gid("g"), definition).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refused = engine.add_branch(gid("g"), branch("c", &[])).await;
        assert!(matches!(refused, Err(EngineError::Rejected { .. })));
    }
    let stored = world.store.peek(&gid("g")).unwrap();
    let (transaction, _) = record::transaction(&stored).unwrap();
    assert_eq!(transaction.branches()[0].status, BranchStatus::Succeeded);
}
