//! Sagas through the engine on virtual time: what is appended, what is called, and what clients are told.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use common::*;
use seata_core::{AbortCause, End, Fingerprint, Operation, Outcome, Reason, Status, UnixMillis};
use seata_engine::{Config, EngineError, Order, StoreRoom, Waited};
use seata_store::{Append, Owner, Revision, TxnStore};
use seata_store_mem::{AppendFault, Faults, FaultyStore, OtherFault, StoreCall};

#[tokio::test(start_paused = true)]
async fn a_saga_in_one_request_costs_two_appends() {
    let world = World::new();
    let engine = world.engine(1).await;
    let begun = engine
        .run(gid("g"), saga(&[("a", &[]), ("b", &[])]))
        .await
        .unwrap();
    assert_eq!(begun.status(), Status::Submitted);
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Committed);
    assert_eq!(ended.header.revision, Revision(2));
    assert_eq!(world.script.calls(), ["action a#1", "action b#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_compensates_what_succeeded_in_reverse() {
    let world = World::new();
    world.script.say("c", Operation::Action, [(5, refused())]);
    let engine = world.engine(1).await;
    engine
        .run(gid("g"), saga(&[("a", &[]), ("b", &["a"]), ("c", &["b"])]))
        .await
        .unwrap();
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Aborted);
    assert!(matches!(
        ended.transaction.abort_cause(),
        Some(AbortCause::Refused { .. })
    ));
    let calls = world.script.calls();
    assert_eq!(
        calls,
        [
            "action a#1",
            "action b#1",
            "action c#1",
            "compensation b#1",
            "compensation a#1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_retried_with_back_off_until_it_speaks() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, (0..20).map(|_| (1, unknown())));
    let engine = world.engine(1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let mut status = Status::Submitted;
    for _ in 0..20 {
        status = match engine
            .wait(gid("g"), Duration::from_secs(300))
            .await
            .unwrap()
        {
            Waited::Settled(snapshot) | Waited::Pending(snapshot) => snapshot.status(),
        };
    }
    assert_eq!(status, Status::Committed);
    assert_eq!(world.script.calls().len(), 21);
}

#[tokio::test(start_paused = true)]
async fn a_branch_slower_than_the_lease_is_called_once() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(45_000, Outcome::Success)]);
    let one = world.engine(1).await;
    let _other = world.engine(2).await;
    one.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(settled(&one, "g").await.status(), Status::Committed);
    assert_eq!(world.script.calls(), ["action a#1"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_running_saga_answers_pending_and_never_failure() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(5_000, Outcome::Success)]);
    let engine = world.engine(1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let waited = engine.wait(gid("g"), Duration::from_secs(1)).await.unwrap();
    assert!(matches!(waited, Waited::Pending(snapshot) if snapshot.status() == Status::Submitted));
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_what_is_driven_here_asks_the_store_nothing() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(90_000, Outcome::Success)]);
    let loads = Arc::new(Loads::default());
    let store = FaultyStore::new(world.store.clone(), Arc::clone(&loads) as _);
    let engine = world.engine_on(Arc::new(store), 1).await;
    let begun = engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let waited = engine.wait_after(begun, Duration::from_secs(300)).await;
    assert!(
        matches!(waited, Ok(Waited::Settled(snapshot)) if snapshot.status() == Status::Committed)
    );
    assert_eq!(loads.0.load(Ordering::Relaxed), 0);
}

/// Counts loads; nothing goes wrong.
#[derive(Default)]
struct Loads(AtomicU32);

impl Faults for Loads {
    fn on_append(&self, _: &[Append]) -> AppendFault {
        AppendFault::None
    }
    fn on_other(&self, call: StoreCall) -> OtherFault {
        if call == StoreCall::Load {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        OtherFault::None
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_with_little_room_refuses_what_is_new_and_nothing_else() {
    let world = World::new();
    let engine = world.engine(1).await;
    engine
        .begin(gid("held"), saga(&[("a", &[])]))
        .await
        .unwrap();
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    settled(&engine, "g").await;
    engine.set_store_room(StoreRoom::Low);
    let again = engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(again.status(), Status::Committed);
    let mut other = (*saga(&[("a", &[])])).clone();
    other.fingerprint = Fingerprint([8; 32]);
    let contrary = engine.run(gid("g"), Arc::new(other)).await;
    assert!(matches!(contrary, Err(EngineError::GidConflict { .. })));
    let submitted = engine.run(gid("held"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(submitted.status(), Status::Submitted);
    let new = engine.run(gid("new"), saga(&[("a", &[])])).await;
    assert!(matches!(new, Err(EngineError::StoreFull)));
}

#[tokio::test(start_paused = true)]
async fn step_by_step_prepares_adds_submits_and_repeats_safely() {
    let world = World::new();
    let engine = world.engine(1).await;
    assert_eq!(
        engine.begin(gid("g"), saga(&[])).await.unwrap().status(),
        Status::Prepared
    );
    engine.begin(gid("g"), saga(&[])).await.unwrap();
    let rejected = engine.submit(gid("g")).await.unwrap_err();
    assert!(
        matches!(rejected, EngineError::Rejected { .. }),
        "{rejected}"
    );
    engine.add_branch(gid("g"), branch("a", &[])).await.unwrap();
    engine.add_branch(gid("g"), branch("a", &[])).await.unwrap();
    engine
        .add_branch(gid("g"), branch("bb", &["a"]))
        .await
        .unwrap();
    assert!(world.script.calls().is_empty());
    engine.submit(gid("g")).await.unwrap();
    engine.submit(gid("g")).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert_eq!(
        engine.submit(gid("g")).await.unwrap().status(),
        Status::Committed
    );
    assert!(engine.abort(gid("g"), "late".into()).await.is_err());
    assert!(
        engine
            .add_branch(gid("g"), branch("ccc", &[]))
            .await
            .is_err()
    );
    assert_eq!(world.script.calls(), ["action a#1", "action bb#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_known_gid_with_other_content_is_a_conflict() {
    let world = World::new();
    let engine = world.engine(1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let mut other = (*saga(&[("b", &[])])).clone();
    other.fingerprint = seata_core::Fingerprint([8; 32]);
    let error = engine.run(gid("g"), other.into()).await.unwrap_err();
    assert!(matches!(error, EngineError::GidConflict { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_never_submitted_is_aborted_in_time() {
    let world = World::new();
    let engine = world.engine(1).await;
    engine.begin(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let ended = settled(&engine, "g").await;
    assert_eq!(
        ended.transaction.abort_cause(),
        Some(&AbortCause::NeverSubmitted)
    );
    assert!(world.script.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_deadline_turns_a_saga_round() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, (0..1000).map(|_| (1, unknown())));
    let engine = world.engine(1).await;
    let options = seata_core::Options {
        timeout_to_fail: Some(Duration::from_secs(20)),
        ..options()
    };
    engine
        .run(gid("g"), saga_with(&[("a", &[])], options))
        .await
        .unwrap();
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.transaction.abort_cause(), Some(&AbortCause::Deadline));
    assert!(
        world
            .script
            .calls()
            .contains(&"compensation a#1".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_compensation_is_stuck_until_an_operator_decides() {
    let world = World::new();
    world.script.say("b", Operation::Action, [(5, refused())]);
    world
        .script
        .say("a", Operation::Compensation, [(0, refused())]);
    let engine = world.engine(1).await;
    engine
        .run(gid("g"), saga(&[("a", &[]), ("b", &[])]))
        .await
        .unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Stuck);
    let forbidden = Order::Force {
        to: End::Committed,
        reason: Reason::new("x"),
    };
    assert!(engine.order(gid("g"), forbidden).await.is_err());
    engine
        .order(
            gid("g"),
            Order::Retry {
                branch: None,
                reason: Reason::new("mended"),
            },
        )
        .await
        .unwrap();
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Aborted);
    assert!(ended.transaction.overridden().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_nothing_and_another_server_goes_on() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(3_600_000, Outcome::Success)]);
    let runtime_of_the_dead = tokio::task::LocalSet::new();
    drop(runtime_of_the_dead);
    let one = world.engine(1).await;
    one.run(gid("g"), saga(&[("a", &[]), ("b", &[])]))
        .await
        .unwrap();
    // The first one stops without a hand-over: its call never ends, and it is given no time.
    one.stop(Duration::ZERO).await;
    let two = world.engine(2).await;
    let ended = settled(&two, "g").await;
    assert_eq!(ended.status(), Status::Committed);
    let calls = world.script.calls();
    assert_eq!(
        calls
            .iter()
            .filter(|call| call.as_str() == "action a#1")
            .count(),
        2,
        "{calls:?}"
    );
}

/// Without room kept for it, what is due would wait as long as clients fill every place that falls free.
#[tokio::test(start_paused = true)]
async fn a_flood_of_requests_leaves_room_for_due_work() {
    let world = World::new();
    let silence = Outcome::Unknown {
        reason: "nobody".into(),
    };
    world.script.say("due", Operation::Action, [(1, silence)]);
    world.script.say(
        "slow",
        Operation::Action,
        vec![(600_000, Outcome::Success); 8],
    );
    let mut config = Config::new(Owner(1));
    config.active_max = 8;
    let engine = world
        .engine_with(Arc::new(world.store.clone()), config)
        .await;
    let mut late = options();
    late.retry.first = Duration::from_secs(8);
    engine
        .run(gid("due"), saga_with(&[("due", &[])], late))
        .await
        .unwrap();
    // It waits in the store by now.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut refused = 0;
    for number in 0..8 {
        let whole = saga(&[("slow", &[])]);
        let begun = engine.run(gid(&format!("flood-{number}")), whole).await;
        refused += usize::from(matches!(begun, Err(EngineError::Overloaded { .. })));
    }
    assert_eq!(refused, 1);
    assert_eq!(settled(&engine, "due").await.status(), Status::Committed);
    assert!(engine.now().0 < 1_700_000_000_000 + 60_000);
}

#[tokio::test(start_paused = true)]
async fn what_was_purged_is_not_told_of_when_its_name_is_used_again() {
    let world = World::new();
    let engine = world.engine(1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    let kept_for = Config::new(Owner(1)).ended_kept_for;
    tokio::time::sleep(kept_for + Duration::from_secs(1)).await;
    let now = world.store.ping().await.unwrap();
    let retention_ms = i64::try_from(kept_for.as_millis()).unwrap();
    let ended_before = UnixMillis(now.0 - retention_ms);
    assert_eq!(world.store.purge(ended_before, 10).await.unwrap(), 1);
    let found = engine.get(&gid("g")).await;
    assert!(matches!(found, Err(EngineError::NotFound { .. })));
    engine.begin(gid("g"), saga(&[("b", &[])])).await.unwrap();
    assert_eq!(
        engine.get(&gid("g")).await.unwrap().status(),
        Status::Prepared
    );
}
