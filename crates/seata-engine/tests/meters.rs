//! What the metrics tell an operator: as true after a lost answer, and beside other servers, as without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::faults::Listed;
use common::*;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use seata_core::{Operation, Reason, Status, UnixMillis};
use seata_engine::{Engine, Order};
use seata_store::{Append, AppendOutcome, Chunk, Expected, LeaseChange, Mode, SCAN_MAX, TxnStore};
use seata_store_mem::{AppendFault, FaultyStore};

/// Long enough for a server to look again at all that it knows as STUCK here.
const A_WHILE: Duration = Duration::from_secs(60);

/// An engine, and what its metrics tell.
struct Server {
    engine: Engine,
    told: PrometheusHandle,
}

impl Server {
    async fn start(world: &World, store: Arc<dyn TxnStore>, owner: u128) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let told = recorder.handle();
        // Handles are made at the start, and go on writing to the recorder of that moment.
        let guard = metrics::set_default_local_recorder(&recorder);
        let engine = world.engine_on(store, owner).await;
        drop(guard);
        Self { engine, told }
    }

    fn value(&self, series: &str) -> Option<f64> {
        let told = self.told.render();
        let mut values = told.lines().filter_map(|line| line.strip_prefix(series));
        values.next().map(|value| value.trim().parse().unwrap())
    }

    fn stuck(&self) -> Option<f64> {
        self.value("seata_stuck_transactions ")
    }

    fn reached(&self, status: Status) -> Option<f64> {
        self.value(&format!(
            "seata_transactions_total{{mode=\"saga\",status=\"{status}\"}}"
        ))
    }

    async fn run_into_stuck(&self, world: &World, name: &str) {
        world.script.say("b", Operation::Action, [(5, refused())]);
        world
            .script
            .say("a", Operation::Compensation, [(0, refused())]);
        let definition = saga(&[("a", &[]), ("b", &[])]);
        self.engine.run(gid(name), definition).await.unwrap();
        assert_eq!(settled(&self.engine, name).await.status(), Status::Stuck);
    }

    async fn resolve(&self, name: &str) {
        let order = Order::Retry {
            branch: None,
            reason: Reason::new("mended"),
        };
        self.engine.order(gid(name), order).await.unwrap();
        assert_eq!(settled(&self.engine, name).await.status(), Status::Aborted);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_server_resolved_is_stuck_nowhere() {
    let world = World::new();
    let one = Server::start(&world, Arc::new(world.store.clone()), 1).await;
    let two = Server::start(&world, Arc::new(world.store.clone()), 2).await;
    one.run_into_stuck(&world, "g").await;
    assert_eq!(one.stuck(), Some(1.0));
    two.resolve("g").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((one.stuck(), two.stuck()), (Some(0.0), Some(0.0)));
}

#[tokio::test(start_paused = true)]
async fn what_was_stuck_before_a_start_is_told_behind_any_number_that_ended() {
    let world = World::new();
    let before = Server::start(&world, Arc::new(world.store.clone()), 1).await;
    before.run_into_stuck(&world, "g").await;
    before.engine.stop(Duration::ZERO).await;
    let now = world.store.ping().await.unwrap();
    let ended = (0..12 * SCAN_MAX).map(|number| ended(number, now.plus(Duration::from_secs(1))));
    for applied in world.store.append(ended.collect()).await {
        assert!(matches!(applied, Ok(AppendOutcome::Applied(_))));
    }
    let after = Server::start(&world, Arc::new(world.store.clone()), 2).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(after.stuck(), Some(1.0));
    after.resolve("g").await;
    assert_eq!(after.stuck(), Some(0.0));
}

fn ended(number: usize, at: UnixMillis) -> Append {
    Append {
        gid: gid(&format!("ended-{number}")),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Committed,
        wake_at: None,
        lease: LeaseChange::Release,
        chunk: Chunk::Add(bytes::Bytes::new()),
        at,
    }
}

/// Runs a saga whose appends behind the first meet this. Answers how often its end was counted.
async fn counted(faults: impl IntoIterator<Item = AppendFault>) -> Option<f64> {
    let world = World::new();
    let faults = Listed::behind_the_first(faults);
    let store = Arc::new(FaultyStore::new(world.store.clone(), faults));
    let server = Server::start(&world, Arc::clone(&store) as _, 1).await;
    let definition = saga(&[("a", &[]), ("b", &[])]);
    server.engine.run(gid("g"), definition).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    store.release_late().await;
    let ended = settled(&server.engine, "g").await;
    assert_eq!(ended.status(), Status::Committed);
    tokio::time::sleep(A_WHILE).await;
    server.reached(Status::Committed)
}

#[tokio::test(start_paused = true)]
async fn an_end_is_counted_once_whatever_became_of_its_answer() {
    use AppendFault::{AppliesLate, Hang, HangAfter, LostReply, Unavailable};
    for faults in [
        vec![LostReply],
        vec![HangAfter],
        vec![AppliesLate],
        vec![Hang],
        vec![Unavailable],
        vec![Hang, LostReply],
        vec![AppliesLate, Hang],
        // Looked at while one is on its way that will be applied.
        vec![Hang, Hang, HangAfter],
        vec![Hang, Hang, Hang, HangAfter],
    ] {
        assert_eq!(counted(faults.clone()).await, Some(1.0), "{faults:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entry_into_stuck_is_counted_once_though_its_answer_was_lost() {
    let world = World::new();
    let lost = [AppendFault::LostReply; 3];
    let faults = Listed::behind_the_first(lost);
    let store = FaultyStore::new(world.store.clone(), faults);
    let server = Server::start(&world, Arc::new(store), 1).await;
    server.run_into_stuck(&world, "g").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(server.stuck(), Some(1.0));
    assert_eq!(server.reached(Status::Stuck), Some(1.0));
    server.resolve("g").await;
    assert_eq!(server.stuck(), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn what_another_server_left_stuck_is_found() {
    let world = World::new();
    let one = Server::start(&world, Arc::new(world.store.clone()), 1).await;
    let two = Server::start(&world, Arc::new(world.store.clone()), 2).await;
    two.run_into_stuck(&world, "g").await;
    two.engine.stop(Duration::ZERO).await;
    tokio::time::sleep(Duration::from_secs(3_700)).await;
    assert_eq!(one.stuck(), Some(1.0));
}
