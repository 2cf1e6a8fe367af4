//! Tries: who calls, who joins, and what is durable before.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{Operation, Outcome, Reason, Rejection, Status, TrialView};
use seata_engine::{Config, Engine, TryAnswer};
use seata_store::{Owner, record};
use seata_store_mem::{AppendFault, FaultyStore};

use crate::common::faults::Listed;
use crate::common::*;
use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_try_is_durable_with_its_limit_before_it_is_called() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(1_000, Outcome::Success)]);
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { try_it(&engine, "a").await }
    });
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let stored = world.store.peek(&gid("g")).unwrap();
    let (txn, events) = record::transaction(&stored).unwrap();
    let a = txn.find_branch(&name("a")).unwrap();
    assert_eq!(txn.trial(a), Some(TrialView::Awaited));
    assert!(txn.try_limit(a).is_some());
    let words: Vec<_> = events.iter().map(|event| event.fact.as_str()).collect();
    assert_eq!(
        words,
        ["created", "branch_added", "try_requested", "try_begun"]
    );
    assert_eq!(stored.header.revision.0, 2, "one append for all of it");
    assert_eq!(asking.await.unwrap().answer, TryAnswer::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn the_same_try_again_joins_the_call_in_flight() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(500, Outcome::Success)]);
    let first = engine.try_branch(gid("g"), tried("a"));
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.try_branch(gid("g"), tried("a")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(second.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(world.script.calls(), ["try a#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_try_that_was_not_called_when_it_was_decided_is_answered_so() {
    let world = World::new();
    let engine = begun(&world).await;
    let ask = |name: String| {
        let engine = engine.clone();
        tokio::spawn(async move { try_it(&engine, &name).await })
    };
    let parallelism = options().branch_parallelism as usize;
    let mut busy = Vec::new();
    for at in 0..parallelism {
        let name = format!("b{at}");
        world
            .script
            .say(&name, Operation::Try, [(1_000, Outcome::Success)]);
        busy.push(ask(name));
    }
    while world.script.calls().len() < parallelism {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let late = ask("late".to_owned());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let reason = Reason::new("enough");
    engine.abort(gid("g"), reason).await.unwrap();
    let decided = "the transaction was decided: this try is not called any more";
    let not_known = TryAnswer::NotKnown {
        reason: Some(Reason::new(decided)),
    };
    let late = late.await.unwrap();
    assert_eq!(late.answer, not_known);
    assert_eq!(late.snapshot.status(), Status::Aborting);
    for tried in busy {
        assert_eq!(tried.await.unwrap().answer, TryAnswer::Succeeded);
    }
    assert_eq!(settled(&engine, "g").await.status(), Status::Aborted);
    assert!(!world.script.calls().contains(&"try late#1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_same_try_again_is_made_again_only_until_it_is_answered() {
    let world = World::new();
    let engine = begun(&world).await;
    world.script.say(
        "a",
        Operation::Try,
        [(5, unknown()), (5, Outcome::Ongoing), (5, Outcome::Success)],
    );
    let not_known = |reason: &str| TryAnswer::NotKnown {
        reason: Some(Reason::new(reason)),
    };
    assert_eq!(try_it(&engine, "a").await.answer, not_known("503"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(world.script.calls(), ["try a#1"], "nobody else tries");
    assert_eq!(
        try_it(&engine, "a").await.answer,
        not_known("the participant has not finished")
    );
    assert_eq!(try_it(&engine, "a").await.answer, TryAnswer::Succeeded);
    assert_eq!(try_it(&engine, "a").await.answer, TryAnswer::Succeeded);
    assert_eq!(world.script.calls(), ["try a#1", "try a#2", "try a#3"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_try_is_told_again_without_a_call() {
    let world = World::new();
    let engine = begun(&world).await;
    world.script.say("a", Operation::Try, [(5, refused())]);
    let refusal = TryAnswer::Refused {
        reason: Reason::new("no"),
    };
    assert_eq!(try_it(&engine, "a").await.answer, refusal);
    assert_eq!(try_it(&engine, "a").await.answer, refusal);
    assert_eq!(world.script.calls(), ["try a#1"]);
    let rejected = rejection(engine.submit(gid("g")).await.unwrap_err());
    assert!(matches!(rejected, Rejection::TryRefused { .. }));
}

#[tokio::test(start_paused = true)]
async fn between_two_tries_nobody_holds_the_lease() {
    let world = World::new();
    let engine = begun(&world).await;
    try_it(&engine, "a").await;
    let header = world.store.peek(&gid("g")).unwrap().header;
    assert_eq!(header.lease_until, None);
    let wakes_at = header.created_at.plus(Duration::from_secs(35));
    assert_eq!(header.wake_at, Some(wakes_at));
    let other = world.engine(2).await;
    try_it(&other, "b").await;
    other.submit(gid("g")).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
}

#[tokio::test(start_paused = true)]
async fn an_order_at_a_server_without_the_lease_is_carried_out_by_the_driver() {
    let world = World::new();
    let engine = begun(&world).await;
    let other = world.engine(2).await;
    world
        .script
        .say("a", Operation::Try, [(2_500, Outcome::Success)]);
    let here = engine.try_branch(gid("g"), tried("a"));
    let elsewhere = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.try_branch(gid("g"), tried("b")).await
    };
    let joined = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        other.try_branch(gid("g"), tried("a")).await
    };
    let (here, elsewhere, joined) = tokio::join!(here, elsewhere, joined);
    assert_eq!(here.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(elsewhere.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(joined.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(world.script.calls(), ["try a#1", "try b#1"]);
}

#[tokio::test(start_paused = true)]
async fn clients_that_break_off_a_try_leave_room_for_its_abort() {
    let world = World::new();
    let config = Config {
        questions_max: 3,
        ..Config::new(Owner(1))
    };
    let engine = Engine::start(
        Arc::new(world.store.clone()),
        world.script.clone(),
        Arc::new(VirtualClock(world.start)),
        config,
    )
    .await
    .unwrap();
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    world
        .script
        .say("a", Operation::Try, [(2_900, Outcome::Success)]);
    for _ in 0..10 {
        let asked = engine.try_branch(gid("g"), tried("a"));
        let broken_off = tokio::time::timeout(Duration::from_millis(100), asked).await;
        assert!(broken_off.is_err());
    }
    let aborted = engine.abort(gid("g"), Reason::new("enough")).await;
    assert_eq!(aborted.unwrap().status(), Status::Aborting);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_try_holds_its_content_no_second_time() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(1_000, Outcome::Success)]);
    let again = tried("a");
    let first = engine.try_branch(gid("g"), tried("a"));
    let second = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.try_branch(gid("g"), Arc::clone(&again)).await
    };
    let held = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Arc::strong_count(&again)
    };
    let (first, second, held) = tokio::join!(first, second, held);
    assert_eq!(first.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(second.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(held, 1);
}

#[tokio::test(start_paused = true)]
async fn a_try_without_a_time_limit_is_answered_like_any_other() {
    let world = World::new();
    let engine = begun(&world).await;
    let mut endless = (*tried("a")).clone();
    endless.options.request_timeout = Some(Duration::MAX);
    let tried = engine.try_branch(gid("g"), Arc::new(endless)).await;
    assert_eq!(tried.unwrap().answer, TryAnswer::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_try_whose_order_was_durable_without_a_word_is_made_at_once() {
    let world = World::new();
    let losing = Arc::new(Listed::default());
    let store = FaultyStore::new(world.store.clone(), Arc::clone(&losing) as _);
    let engine = world
        .engine_with(Arc::new(store), Config::new(Owner(1)))
        .await;
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    world
        .script
        .say("a", Operation::Try, [(2_000, Outcome::Success)]);
    let holding = engine.try_branch(gid("g"), tried("a"));
    let asked = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        losing.then([AppendFault::LostReply]);
        let tried = engine.try_branch(gid("g"), tried("b")).await;
        (tried.unwrap().answer, now_ms(&world))
    };
    let (holding, (answer, at_ms)) = tokio::join!(holding, asked);
    assert_eq!(holding.unwrap().answer, TryAnswer::Succeeded);
    assert_eq!(answer, TryAnswer::Succeeded);
    assert!(at_ms < 1_000, "{at_ms}");
    assert_eq!(world.script.calls(), ["try a#1", "try b#1"]);
}
