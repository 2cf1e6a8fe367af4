//! The decision, by submit, abort, deadline, or the order about one branch.

use std::time::Duration;

use seata_core::{
    BranchStatus, CompletionEnd, Fact, Mode, Operation, Outcome, Reason, Rejection, Status,
};
use seata_engine::{Completion, Order, TryAnswer};

use crate::common::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn tries_then_a_submit_then_every_branch_is_confirmed() {
    let world = World::new();
    let engine = begun(&world).await;
    assert_eq!(try_it(&engine, "a").await.answer, TryAnswer::Succeeded);
    let own = engine
        .register_branch(gid("g"), registered("b"))
        .await
        .unwrap();
    assert_eq!(own.status(), Status::Prepared);
    let submitted = engine.submit(gid("g")).await.unwrap();
    assert_ne!(submitted.status(), Status::Prepared);
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Committed);
    let statuses: Vec<_> = ended.transaction.branches();
    assert!(
        statuses
            .iter()
            .all(|branch| branch.status == BranchStatus::Confirmed)
    );
    assert_eq!(
        world.script.calls(),
        ["try a#1", "confirm a#1", "confirm b#1"]
    );
}

#[tokio::test(start_paused = true)]
async fn never_submitted_it_is_cancelled_at_its_deadline() {
    let world = World::new();
    let engine = begun(&world).await;
    try_it(&engine, "a").await;
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    assert!(
        (35_000..36_000).contains(&now_ms(&world)),
        "{}",
        now_ms(&world)
    );
    assert_eq!(world.script.calls(), ["try a#1", "cancel a#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_waits_for_the_answer_to_the_try_in_flight() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(1_000, Outcome::Success)]);
    let asked = engine.try_branch(gid("g"), tried("a"));
    let aborted = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.abort(gid("g"), Reason::new("enough")).await
    };
    let (asked, aborted) = tokio::join!(asked, aborted);
    assert_eq!(aborted.unwrap().status(), Status::Aborting);
    assert_eq!(asked.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    assert!(now_ms(&world) >= 1_000);
    assert_eq!(world.script.calls(), ["try a#1", "cancel a#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_submit_while_a_confirm_is_pending_skips_nothing() {
    let world = World::new();
    let engine = begun(&world).await;
    let other = world.engine(2).await;
    for branch in ["a", "b"] {
        try_it(&engine, branch).await;
    }
    world.script.say(
        "a",
        Operation::Confirm,
        [(10, unknown()), (10, unknown()), (10, Outcome::Success)],
    );
    for _ in 0..4 {
        engine.submit(gid("g")).await.unwrap();
        other.submit(gid("g")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Committed);
    let confirms = |calls: Vec<String>| {
        calls
            .into_iter()
            .filter(|call| call.starts_with("confirm a"))
            .count()
    };
    assert_eq!(confirms(world.script.calls()), 3);
    let (_, events) = engine.history(&gid("g")).await.unwrap();
    let submitted = events
        .iter()
        .filter(|event| matches!(event.fact, Fact::Submitted));
    assert_eq!(submitted.count(), 1, "decided once");
    let rejected = engine
        .abort(gid("g"), Reason::new("late"))
        .await
        .unwrap_err();
    assert!(matches!(rejection(rejected), Rejection::WrongStatus { .. }));
}

#[tokio::test(start_paused = true)]
async fn confirming_one_branch_decides_for_all_and_then_hurries_it() {
    let world = World::new();
    let engine = begun(&world).await;
    for branch in ["a", "b"] {
        try_it(&engine, branch).await;
    }
    let mut slow: Vec<_> = (0..8).map(|_| (10, unknown())).collect();
    slow.push((10, Outcome::Success));
    world.script.say("a", Operation::Confirm, slow);
    let confirm = || engine.confirm_branch(gid("g"), name("a"));
    confirm().await.unwrap();
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        confirm().await.unwrap();
    }
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert!(now_ms(&world) < 5_000, "{}", now_ms(&world));
    let refused = engine.cancel_branch(gid("g"), name("a")).await;
    assert!(matches!(
        rejection(refused.unwrap_err()),
        Rejection::WrongStatus { .. }
    ));
    let nobody = engine.confirm_branch(gid("g"), name("nobody")).await;
    assert!(matches!(
        rejection(nobody.unwrap_err()),
        Rejection::UnknownBranch { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn cancelling_one_branch_decides_for_all_also_at_a_server_without_the_lease() {
    let world = World::new();
    let engine = begun(&world).await;
    let other = world.engine(2).await;
    try_it(&engine, "a").await;
    world
        .script
        .say("b", Operation::Try, [(2_000, Outcome::Success)]);
    let tried = engine.try_branch(gid("g"), tried("b"));
    let cancelled = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        other.cancel_branch(gid("g"), name("a")).await
    };
    let (tried, cancelled) = tokio::join!(tried, cancelled);
    tried.unwrap();
    assert_ne!(cancelled.unwrap().status(), Status::Prepared);
    assert_eq!(settled(&other, "g").await.status(), Status::Aborted);
    let mut calls = world.script.calls();
    calls.sort_unstable();
    assert_eq!(calls, ["cancel a#1", "cancel b#1", "try a#1", "try b#1"]);
}

#[tokio::test(start_paused = true)]
async fn the_doors_of_one_mode_are_closed_to_the_other() {
    let world = World::new();
    let engine = world.engine(1).await;
    engine.begin(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let wrong = |error| {
        let rejection = rejection(error);
        let Rejection::WrongMode { mode, .. } = rejection else {
            panic!("{rejection}");
        };
        mode
    };
    let asked = engine.try_branch(gid("g"), tried("t")).await.unwrap_err();
    assert_eq!(wrong(asked), Mode::Saga);
    let asked = engine.register_branch(gid("g"), registered("t")).await;
    assert_eq!(wrong(asked.unwrap_err()), Mode::Saga);
    let asked = engine.confirm_branch(gid("g"), name("a")).await;
    assert_eq!(wrong(asked.unwrap_err()), Mode::Saga);
    engine.begin(gid("t"), tcc(options())).await.unwrap();
    let asked = engine.add_branch(gid("t"), branch("a", &[])).await;
    assert_eq!(wrong(asked.unwrap_err()), Mode::Tcc);
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_names_no_operation_means_the_one_of_the_present_direction() {
    let world = World::new();
    let engine = begun(&world).await;
    engine
        .register_branch(gid("g"), registered("a"))
        .await
        .unwrap();
    world.script.say("a", Operation::Confirm, [(5, refused())]);
    let skip = || Order::Skip {
        branch: name("a"),
        operation: None,
        reason: Reason::new("done by hand"),
    };
    let refused = engine.order(gid("g"), skip()).await.unwrap_err();
    assert!(matches!(
        rejection(refused),
        Rejection::OperationNotOpen {
            operation: Operation::Try,
            ..
        }
    ));
    let tried = Completion {
        branch: name("a"),
        operation: Some(Operation::Try),
        end: CompletionEnd::Succeeded,
    };
    engine.complete(gid("g"), tried).await.unwrap();
    engine.submit(gid("g")).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Stuck);
    let skipped = engine.order(gid("g"), skip()).await.unwrap();
    assert_eq!(skipped.status(), Status::Committed);
    assert!(skipped.transaction.overridden().is_some());
}
