//! Who may call and answer: only a driver that surely holds the lease, whatever comes late.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use common::distant::Distant;
use common::faults::Listed;
use common::*;
use seata_core::{BranchStatus, End, Endpoint, Fact, Input, Operation, Outcome, Reason, Status};
use seata_engine::{Call, Caller, Clock, Config, Engine, Order, Slot, Task};
use seata_store::{FencingToken, Owner, Revision, TxnStore, record};
use seata_store_mem::{AppendFault, FaultyStore, MemStore};

#[tokio::test(start_paused = true)]
async fn a_claim_that_answers_late_calls_nobody_after_the_end() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, (0..9).map(|_| (1, unknown())));
    let store = Distant::new(&world.store);
    let engine = world.engine_on(Arc::new(store.clone()), 1).await;
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    // By now it waits in the store for its next attempt. The claim's answer travels for a second.
    while world
        .store
        .peek(&gid("g"))
        .unwrap()
        .header
        .lease_until
        .is_some()
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.claim_back_ms.store(1_000, Ordering::Relaxed);
    while world.store.peek(&gid("g")).unwrap().header.token < FencingToken(2) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ordered = Order::Force {
        to: End::Aborted,
        reason: Reason::new("enough"),
    };
    let called_before = world.script.calls().len();
    engine.order(gid("g"), ordered).await.unwrap();
    let ended_by_order = world.store.peek(&gid("g")).unwrap().header.status == Status::Aborted;
    let ended = settled(&engine, "g").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(ended.status(), Status::Aborted);
    let called_since = world.script.calls().len() - called_before;
    assert!(
        !ended_by_order || called_since == 0,
        "{called_since} calls after the end"
    );
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_creation_adopts_no_lease_of_an_earlier_one() {
    let world = World::new();
    world.script.say("a", Operation::Action, [(1, unknown())]);
    let faults = Arc::new(Listed::default());
    let store = FaultyStore::new(world.store.clone(), faults.clone());
    let config = Config {
        linger: Duration::ZERO,
        ..Config::new(Owner(1))
    };
    let clock = Arc::new(Jumping(VirtualClock(world.start), AtomicU64::new(0)));
    let caller: Arc<dyn Caller> = world.script.clone();
    let engine = Engine::start(Arc::new(store), caller, Arc::clone(&clock) as _, config);
    let engine = engine.await.unwrap();
    // The append that releases the lease is never answered and never applied, and this server's clock is ahead: the driver
    // lets go, the lease goes on.
    faults.then([AppendFault::None, AppendFault::Hang]);
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    clock.1.store(9_000, Ordering::Relaxed);
    // By then the server has asked for the time again.
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(world.script.calls().len(), 1);
    // The same request comes again, and the answer that it exists is lost.
    faults.then([AppendFault::LostReply]);
    engine.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let lease_until = world.store.peek(&gid("g")).unwrap().header.lease_until;
    while world.store.ping().await.unwrap() < lease_until.unwrap() {
        assert_eq!(
            world.script.calls().len(),
            1,
            "called under a lease that was given up"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
}

/// Lets branch `late` wait for its place in the queue.
struct Queue(Arc<Script>);

#[async_trait]
impl Caller for Queue {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        if endpoint.authority() == "late" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        self.0.call(call, slot).await
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_begins_while_the_end_is_being_appended() {
    let world = World::new();
    let store = Distant::new(&world.store);
    let engine = Engine::start(
        Arc::new(store.clone()),
        Arc::new(Queue(world.script.clone())),
        Arc::new(VirtualClock(world.start)),
        Config::new(Owner(1)),
    )
    .await
    .unwrap();
    engine.run(gid("g"), saga(&[("late", &[])])).await.unwrap();
    store.append_back_ms.store(200, Ordering::Relaxed);
    let forced = Order::Force {
        to: End::Aborted,
        reason: Reason::new("enough"),
    };
    let ended = engine.order(gid("g"), forced).await.unwrap();
    assert_eq!(ended.status(), Status::Aborted);
    assert!(
        world.script.calls().is_empty(),
        "{:?}",
        world.script.calls()
    );
}

/// A clock that can jump.
struct Jumping(VirtualClock, AtomicU64);

impl Clock for Jumping {
    fn boot(&self) -> Duration {
        self.0.boot() + Duration::from_millis(self.1.load(Ordering::Relaxed))
    }
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_whose_lease_has_ended_answers_from_the_store() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(60_000, Outcome::Success)]);
    let clock = Arc::new(Jumping(VirtualClock(world.start), AtomicU64::new(0)));
    let one = Engine::start(
        Arc::new(world.store.clone()),
        world.script.clone(),
        clock.clone(),
        Config::new(Owner(1)),
    )
    .await
    .unwrap();
    let other = world.engine(2).await;
    one.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    // The other server records an order meanwhile.
    let abort = tokio::spawn(async move { other.abort(gid("g"), Reason::new("enough")).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(
        world.store.peek(&gid("g")).unwrap().header.revision,
        Revision(2)
    );
    clock.1.store(11_000, Ordering::Relaxed);
    let told = one.submit(gid("g")).await.unwrap();
    assert!(
        told.header.revision > Revision(1),
        "told of {:?}",
        told.header.revision
    );
    abort.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_whose_append_was_ambiguous_counts_once() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, (0..2).map(|_| (1, unknown())));
    let faults = Arc::new(Listed::default());
    faults.then([
        AppendFault::None,
        AppendFault::LostReply,
        AppendFault::LostReply,
    ]);
    let store = FaultyStore::new(world.store.clone(), faults.clone());
    let engine = world.engine_on(Arc::new(store), 1).await;
    let mut options = options();
    options.retry.max_attempts = 3;
    engine
        .run(gid("g"), saga_with(&[("a", &[])], options))
        .await
        .unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert_eq!(
        world.script.calls(),
        ["action a#1", "action a#2", "action a#3"]
    );
}

/// Looks, at each call, whether the store says already that it succeeded.
struct Watchful {
    script: Arc<Script>,
    store: MemStore,
    needless: AtomicU64,
}

#[async_trait]
impl Caller for Watchful {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        let stored = self.store.peek(&call.gid).unwrap();
        let (transaction, _) = record::transaction(&stored).unwrap();
        let branch = transaction.find_branch(&call.branch.branch_id).unwrap();
        if transaction.branches()[usize::try_from(branch.0).unwrap()].status
            == BranchStatus::Succeeded
        {
            self.needless.fetch_add(1, Ordering::Relaxed);
        }
        self.script.call(call, slot).await
    }
}

/// A clock that stands still while the store's goes on.
struct Still;

impl Clock for Still {
    fn boot(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_was_overtaken_by_its_own_process_calls_nobody_on_an_old_state() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(9_900, Outcome::Success)]);
    let distant = Distant::new(&world.store);
    distant.claim_back_ms.store(1_000, Ordering::Relaxed);
    let faults = Arc::new(Listed::default());
    let store = FaultyStore::new(distant, faults.clone());
    let caller = Arc::new(Watchful {
        script: world.script.clone(),
        store: world.store.clone(),
        needless: AtomicU64::new(0),
    });
    let config = Config::new(Owner(1));
    let engine = Engine::start(Arc::new(store), caller.clone(), Arc::new(Still), config)
        .await
        .unwrap();
    // The answer can't be appended before the lease has run out at the store and was claimed again.
    let unavailable = std::iter::repeat_n(AppendFault::Unavailable, 12);
    faults.then([AppendFault::None]);
    faults.then(unavailable);
    engine
        .run(gid("g"), saga(&[("a", &[]), ("b", &["a"])]))
        .await
        .unwrap();
    assert_eq!(settled(&engine, "g").await.status(), Status::Committed);
    assert_eq!(caller.needless.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_given_up_is_taken_again_long_before_the_lease_ends() {
    let world = World::new();
    let faults = Arc::new(Listed::default());
    let store = FaultyStore::new(world.store.clone(), faults.clone());
    let engine = world.engine_on(Arc::new(store), 1).await;
    let mut options = options();
    options.prepared_timeout = Duration::from_secs(1);
    engine
        .begin(gid("g"), saga_with(&[("a", &[])], options))
        .await
        .unwrap();
    // The store takes no appends for so long that the turn is given up. Renewals arrive: nobody else can claim it.
    let unavailable = std::iter::repeat_n(AppendFault::Unavailable, 9);
    faults.then(unavailable);
    let ended = settled(&engine, "g").await;
    assert_eq!(ended.status(), Status::Aborted);
    let took = ended.header.updated_at.since(ended.header.created_at);
    assert!(took < Duration::from_secs(5), "only after {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_may_have_taken_the_lease_is_not_repeated_as_a_recovery_without_it() {
    let world = World::new();
    left_behind(&world, saga(&[("a", &[])]), [Input::Submit]).await;
    let faults = Arc::new(Listed::default());
    let store = FaultyStore::new(world.store.clone(), faults.clone());
    let config = Config {
        claim_interval: Duration::from_secs(3_600),
        ..Config::new(Owner(1))
    };
    let engine = world.engine_with(Arc::new(store), config).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // The order takes the lease, and the answer is lost: until that lease ends, the order can only be recorded.
    faults.then([AppendFault::LostReply]);
    engine.abort(gid("g"), Reason::new("enough")).await.unwrap();
    let (_, events) = engine.history(&gid("g")).await.unwrap();
    let recovered = events
        .iter()
        .filter(|event| matches!(event.fact, Fact::Recovered { .. }));
    assert_eq!(recovered.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_clock_is_ahead_ends_nothing_that_another_drives() {
    let world = World::new();
    world
        .script
        .say("a", Operation::Action, [(1_000, Outcome::Success)]);
    let driver = world.engine(1).await;
    driver.run(gid("g"), saga(&[("a", &[])])).await.unwrap();
    let clock = Arc::new(Jumping(VirtualClock(world.start), AtomicU64::new(0)));
    let store = Arc::new(world.store.clone());
    let config = Config::new(Owner(2));
    let caller: Arc<dyn Caller> = world.script.clone();
    let ahead = Engine::start(store, caller, Arc::clone(&clock) as _, config)
        .await
        .unwrap();
    clock.1.store(60_000, Ordering::Relaxed);
    let ordered = Order::Force {
        to: End::Aborted,
        reason: Reason::new("enough"),
    };
    ahead.order(gid("g"), ordered).await.unwrap();
    let header = world.store.peek(&gid("g")).unwrap().header;
    assert_eq!(header.owner, Some(Owner(1)));
    assert!(
        header.lease_until.is_some(),
        "the driver's lease was released"
    );
    assert_eq!(settled(&driver, "g").await.status(), Status::Aborted);
}

/// Notes how many calls were broken off.
struct Noting {
    script: Arc<Script>,
    broken_off: Arc<AtomicU64>,
}

struct Unended(Arc<AtomicU64>);

impl Drop for Unended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Caller for Noting {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        self.script.slot(endpoint).await
    }
    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        let unended = Unended(Arc::clone(&self.broken_off));
        let outcome = self.script.call(call, slot).await;
        std::mem::forget(unended);
        outcome
    }
}

/// Another may begin the same call at once: it is given up then, and not when the store answers what was asked before.
#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_ends_calls_although_an_append_is_under_way() {
    let world = World::new();
    let slow = [(60_000, Outcome::Success)];
    world.script.say("slow", Operation::Action, slow);
    let distant = Distant::new(&world.store);
    let faults = Listed::behind_the_first([AppendFault::Hang]);
    let store = FaultyStore::new(distant.clone(), faults);
    let caller = Arc::new(Noting {
        script: world.script.clone(),
        broken_off: Arc::default(),
    });
    let config = Config {
        lease: Duration::from_secs(4),
        store_timeout: Duration::from_secs(3),
        ..Config::new(Owner(1))
    };
    let clock = Arc::new(VirtualClock(world.start));
    let engine = Engine::start(Arc::new(store), Arc::clone(&caller) as _, clock, config)
        .await
        .unwrap();
    let definition = saga(&[("quick", &[]), ("slow", &[])]);
    engine.run(gid("g"), definition).await.unwrap();
    // The success is being appended, and the lease was not renewed yet.
    tokio::time::sleep(Duration::from_millis(500)).await;
    distant.leases_are_lost.store(true, Ordering::Relaxed);
    assert_eq!(caller.broken_off.load(Ordering::Relaxed), 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(caller.broken_off.load(Ordering::Relaxed), 1);
}
