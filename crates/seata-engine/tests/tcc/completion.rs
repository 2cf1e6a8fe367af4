//! Completion from outside, in both modes and on any server.

use std::time::Duration;

use seata_core::{CompletionEnd, Operation, Outcome, Rejection, Status};
use seata_engine::Engine;

use crate::common::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn an_ongoing_confirm_is_completed_from_outside() {
    let world = World::new();
    let engine = begun(&world).await;
    engine
        .register_branch(gid("g"), registered("a"))
        .await
        .unwrap();
    world.script.say(
        "a",
        Operation::Confirm,
        (0..99).map(|_| (5, Outcome::Ongoing)),
    );
    engine.submit(gid("g")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let done = told("a", Some(Operation::Confirm), CompletionEnd::Succeeded);
    engine.complete(gid("g"), done.clone()).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    let again = engine.complete(gid("g"), done).await.unwrap();
    assert_eq!(again.status(), Status::Committed);
    let contrary = engine
        .complete(gid("g"), told("a", None, failed()))
        .await
        .unwrap_err();
    assert!(matches!(
        rejection(contrary),
        Rejection::CompletedOtherwise { .. }
    ));
}

async fn with_an_ongoing_action(world: &World) -> Engine {
    let engine = world.engine(1).await;
    world.script.say(
        "b",
        Operation::Action,
        (0..99).map(|_| (5, Outcome::Ongoing)),
    );
    let branches: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["b"])];
    engine.run(gid("g"), saga(branches)).await.unwrap();
    while !world.script.calls().contains(&"action b#1".to_owned()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    engine
}

#[tokio::test(start_paused = true)]
async fn an_ongoing_action_of_a_saga_is_completed_from_outside_on_any_server() {
    let world = World::new();
    let engine = with_an_ongoing_action(&world).await;
    let other = world.engine(2).await;
    let done = told("b", None, CompletionEnd::Succeeded);
    other.complete(gid("g"), done).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert!(world.script.calls().contains(&"action c#1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_is_told_to_have_failed_is_compensated_because_it_was_called() {
    let world = World::new();
    let engine = with_an_ongoing_action(&world).await;
    let refused = told("b", Some(Operation::Action), failed());
    engine.complete(gid("g"), refused).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    let calls = world.script.calls();
    let undone: Vec<_> = calls
        .iter()
        .filter(|call| call.starts_with("compensation"))
        .collect();
    assert_eq!(undone, ["compensation b#1", "compensation a#1"]);
}

#[tokio::test(start_paused = true)]
async fn an_action_that_was_never_called_is_not_compensated() {
    let world = World::new();
    let engine = with_an_ongoing_action(&world).await;
    let refused = told("c", Some(Operation::Action), failed());
    engine.complete(gid("g"), refused).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    let calls = world.script.calls();
    assert!(!calls.contains(&"compensation c#1".to_owned()), "{calls:?}");
    assert!(calls.contains(&"compensation b#1".to_owned()), "{calls:?}");
}
