//! TCC and completion from outside through the engine's doors: who calls, who waits, and what is durable before.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::*;
use seata_core::{
    BranchDefinition, BranchId, BranchOptions, BranchStatus, CompletionEnd, Definition, Endpoint,
    Endpoints, Fact, Fingerprint, Mode, Operation, Options, Outcome, Reason, Rejection, Status,
    TrialView, UnixMillis,
};
use seata_engine::{Call, Caller, Completion, Config, Engine, EngineError, Slot, Tried, TryAnswer};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreErrorKind, Stored, TxnStore, record,
};
use seata_store_mem::MemStore;

fn tcc(options: Options) -> Arc<Definition> {
    Arc::new(Definition {
        mode: Mode::Tcc,
        branches: Vec::new(),
        options,
        payload: None,
        fingerprint: Fingerprint([7; 32]),
    })
}

fn name(text: &str) -> BranchId {
    BranchId::parse(text).unwrap()
}

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text).unwrap()
}

/// A branch whose try the coordinator calls.
fn tried(text: &str) -> Arc<BranchDefinition> {
    let at = |path: &str| endpoint(&format!("http://{text}/{path}"));
    Arc::new(BranchDefinition {
        branch_id: name(text),
        endpoints: Endpoints::Tcc {
            try_: Some(at("try")),
            confirm: at("confirm"),
            cancel: at("cancel"),
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint([1; 32]),
    })
}

/// A branch whose try the initiator calls itself.
fn registered(text: &str) -> Arc<BranchDefinition> {
    let mut branch = (*tried(text)).clone();
    branch.endpoints = Endpoints::Tcc {
        try_: None,
        confirm: endpoint(&format!("http://{text}/confirm")),
        cancel: endpoint(&format!("http://{text}/cancel")),
    };
    Arc::new(branch)
}

fn told(branch: &str, operation: Option<Operation>, end: CompletionEnd) -> Completion {
    Completion {
        branch: name(branch),
        operation,
        end,
    }
}

fn failed() -> CompletionEnd {
    CompletionEnd::Failed {
        reason: Reason::new("told"),
    }
}

fn rejection(error: EngineError) -> Rejection {
    let EngineError::Rejected { rejection, present } = error else {
        panic!("{error}");
    };
    assert!(present.is_some(), "the state as it is goes with it");
    rejection
}

fn now_ms(world: &World) -> u128 {
    world.start.elapsed().as_millis()
}

async fn begun(world: &World) -> Engine {
    let engine = world.engine(1).await;
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    engine
}

async fn try_it(engine: &Engine, branch: &str) -> Tried {
    engine.try_branch(gid("g"), tried(branch)).await.unwrap()
}

/// A store that one server can't reach any more.
#[derive(Clone)]
struct Cut {
    store: MemStore,
    cut: Arc<AtomicBool>,
}

impl Cut {
    fn new(store: &MemStore) -> Self {
        Self {
            store: store.clone(),
            cut: Arc::default(),
        }
    }

    fn reach(&self) -> Result<&MemStore, StoreError> {
        if self.cut.load(Ordering::Relaxed) {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "reaching the store",
                "it is cut off",
            ));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl TxnStore for Cut {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        match self.reach() {
            Ok(store) => store.append(batch).await,
            Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
        }
    }
    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.reach()?.load(gid).await
    }
    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.reach()?.claim_due(owner, lasts, limit).await
    }
    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.reach()?.renew(held, lasts).await
    }
    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.reach()?.list(query).await
    }
    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.reach()?.purge(ended_before, limit).await
    }
    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.reach()?.ping().await
    }
}

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
async fn after_a_takeover_in_the_middle_of_a_try_its_cancel_waits_for_the_limit() {
    let world = World::new();
    let cut = Cut::new(&world.store);
    let engine = world.engine_on(Arc::new(cut.clone()), 1).await;
    let other = world.engine(2).await;
    let mut options = options();
    options.request_timeout = Duration::from_secs(25);
    engine.begin(gid("g"), tcc(options)).await.unwrap();
    engine
        .register_branch(gid("g"), registered("own"))
        .await
        .unwrap();
    world
        .script
        .say("a", Operation::Try, [(24_000, Outcome::Success)]);
    drop(tokio::spawn({
        let engine = engine.clone();
        async move { engine.try_branch(gid("g"), tried("a")).await }
    }));
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    cut.cut.store(true, Ordering::Relaxed);
    // Its lease ends, and another server takes over.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let again = other.get(&gid("g")).await.unwrap();
    let a = again.transaction.find_branch(&name("a")).unwrap();
    assert_eq!(
        again.transaction.trial(a),
        Some(TrialView::NotKnown { reason: None })
    );
    let rejected = rejection(other.submit(gid("g")).await.unwrap_err());
    assert!(matches!(rejected, Rejection::TryNotKnown { .. }));
    let aborted = other.abort(gid("g"), Reason::new("enough")).await.unwrap();
    assert_eq!(aborted.status(), Status::Aborting);
    while now_ms(&world) < 24_900 {
        assert_eq!(world.script.calls(), ["try a#1", "cancel own#1"]);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(settled(&other, "g").await.status(), Status::Aborted);
    assert!(now_ms(&world) >= 25_000, "{}", now_ms(&world));
    let calls = world.script.calls();
    assert_eq!(calls, ["try a#1", "cancel own#1", "cancel a#1"]);
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
    let done = told("a", None, CompletionEnd::Succeeded);
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

/// Has no slot for the try of `full` within its time limit.
struct Full(Arc<Script>);

#[async_trait]
impl Caller for Full {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        if endpoint.as_str() == "http://full/try" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        self.0.call(call, slot).await
    }
}

async fn full(world: &World) -> Engine {
    let engine = Engine::start(
        Arc::new(world.store.clone()),
        Arc::new(Full(world.script.clone())),
        Arc::new(VirtualClock(world.start)),
        Config::new(Owner(1)),
    )
    .await
    .unwrap();
    engine.begin(gid("g"), tcc(options())).await.unwrap();
    engine
}

#[tokio::test(start_paused = true)]
async fn a_try_that_gets_no_slot_within_its_limit_is_never_called() {
    let world = World::new();
    let engine = full(&world).await;
    let Tried { answer, .. } = try_it(&engine, "full").await;
    assert!(matches!(answer, TryAnswer::NotKnown { reason: Some(_) }));
    assert!(
        (3_000..3_200).contains(&now_ms(&world)),
        "{}",
        now_ms(&world)
    );
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(world.script.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_try_that_has_not_left_is_withdrawn_by_an_abort_and_cancelled_at_once() {
    let world = World::new();
    let engine = full(&world).await;
    let asked = engine.try_branch(gid("g"), tried("full"));
    let aborted = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        engine.abort(gid("g"), Reason::new("enough")).await.unwrap();
        settled(&engine, "g").await
    };
    let (asked, aborted) = tokio::join!(asked, aborted);
    let answer = asked.unwrap().answer;
    assert!(matches!(answer, TryAnswer::NotKnown { reason: Some(_) }));
    assert_eq!(aborted.status(), Status::Aborted);
    assert!(now_ms(&world) < 1_000, "{}", now_ms(&world));
    assert_eq!(world.script.calls(), ["cancel full#1"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_in_the_middle_of_a_try_hands_it_over_in_doubt() {
    let world = World::new();
    let engine = begun(&world).await;
    world
        .script
        .say("a", Operation::Try, [(2_000, Outcome::Success)]);
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { engine.try_branch(gid("g"), tried("a")).await }
    });
    while world.script.calls().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.stop(Duration::from_millis(100)).await;
    let answer: Result<Tried, EngineError> = asking.await.unwrap();
    assert!(matches!(
        answer.map(|tried| tried.answer),
        Ok(TryAnswer::NotKnown { .. })
    ));
    let other = world.engine(2).await;
    // Until it is recovered there it may be told that nobody knows.
    let mut answer = TryAnswer::NotKnown { reason: None };
    while answer != TryAnswer::Succeeded {
        assert!(
            now_ms(&world) < 2_000,
            "long before the limit of the lost call"
        );
        assert!(matches!(answer, TryAnswer::NotKnown { .. }));
        answer = try_it(&other, "a").await.answer;
    }
    assert_eq!(world.script.calls().len(), 2);
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
