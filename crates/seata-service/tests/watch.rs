//! Following a transaction: from any event on, each event once, on whichever server, until its end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{Endpoint, Gid, Outcome, Reason, UnixMillis};
use seata_engine::{Call, Caller, Clock, Config, Engine, Slot, Task};
use seata_service::request::{BranchRequest, TransactionRequest};
use seata_service::{
    Defaults, Detail, ErrorCode, Limits, LocalEndpoints, Rules, Service, Submission, Watch, Whole,
};
use seata_store::Owner;
use seata_store_mem::MemStore;
use tokio::time::Instant;

struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

/// Every call succeeds, after a second.
struct Slow;

#[async_trait]
impl Caller for Slow {
    async fn slot(&self, _: &Endpoint) -> Slot {
        Slot::unbounded()
    }
    async fn call(&self, _: Call, _: Slot) -> Outcome {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Outcome::Success
    }
}

fn store(start: Instant) -> MemStore {
    MemStore::new(Arc::new(move || {
        UnixMillis(1_700_000_000_000 + i64::try_from(start.elapsed().as_millis()).unwrap())
    }))
}

async fn service(store: &MemStore, start: Instant, owner: u128) -> Service {
    let clock = Arc::new(VirtualClock(start));
    let config = Config::new(Owner(owner));
    let engine = Engine::start(Arc::new(store.clone()), Arc::new(Slow), clock, config);
    let rules = Rules {
        defaults: Defaults::default(),
        limits: Limits::default(),
        local: LocalEndpoints::Refused,
    };
    Service::new(engine.await.unwrap(), rules)
}

fn saga(service: &Service) -> Whole {
    let branch = |name: &'static str| BranchRequest {
        branch_id: Some(name.into()),
        action: Some("http://a/do".into()),
        ..BranchRequest::default()
    };
    let asked = TransactionRequest {
        gid: Some("g".into()),
        branches: Some(vec![branch("b1"), branch("b2")]),
        ..TransactionRequest::default()
    };
    asked.resolve(service.rules(), service.now()).unwrap()
}

fn gid() -> Gid {
    Gid::parse("g").unwrap()
}

/// Answers the events up to the end, as `number kind`.
async fn told(mut watch: Watch) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(watched) = watch.next().await {
        let watched = watched.unwrap();
        assert!(!watched.events.is_empty());
        let events = watched.events.iter();
        told.extend(events.map(|event| format!("{} {}", event.number, event.fact.as_str())));
    }
    told
}

const ALL: [&str; 5] = [
    "1 created",
    "2 submitted",
    "3 answered",
    "4 answered",
    "5 committed",
];

#[tokio::test(start_paused = true)]
async fn each_event_is_told_once_and_the_stream_ends_with_the_transaction() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    service.start(saga(&service)).await.unwrap();
    let watch = service.watch(gid(), 0).await.unwrap();
    let watching = tokio::spawn(told(watch));
    service.submit(Submission::ByGid(gid())).await.unwrap();
    assert_eq!(watching.await.unwrap(), ALL);
}

#[tokio::test(start_paused = true)]
async fn what_is_driven_elsewhere_is_told_too() {
    let start = Instant::now();
    let store = store(start);
    let here = service(&store, start, 1).await;
    let elsewhere = service(&store, start, 2).await;
    elsewhere.start(saga(&elsewhere)).await.unwrap();
    let watching = tokio::spawn(told(here.watch(gid(), 0).await.unwrap()));
    elsewhere.submit(Submission::ByGid(gid())).await.unwrap();
    assert_eq!(watching.await.unwrap(), ALL);
}

#[tokio::test(start_paused = true)]
async fn a_client_goes_on_behind_the_event_that_it_knows() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    let whole = Submission::Whole(saga(&service));
    let submitted = service.submit(whole).await.unwrap();
    let wait = Some(Duration::from_secs(30));
    service.settle(submitted, wait).await.unwrap();
    for known in 0..=5 {
        let watch = service.watch(gid(), known).await.unwrap();
        let rest = ALL.get(known as usize..).unwrap_or_default();
        assert_eq!(told(watch).await, rest, "behind {known}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_beyond_the_history_is_refused_with_the_last_one() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    service.start(saga(&service)).await.unwrap();
    let open = service.watch(gid(), 2).await.err().unwrap();
    assert_eq!(open.code, ErrorCode::InvalidRequest);
    assert_eq!(
        open.text(),
        "event 2 is beyond the history, which ends with event 1: send the number of the last event that came"
    );
    let whole = Submission::ByGid(gid());
    let submitted = service.submit(whole).await.unwrap();
    let wait = Some(Duration::from_secs(30));
    service.settle(submitted, wait).await.unwrap();
    let ended = service.watch(gid(), u32::MAX).await.err().unwrap();
    assert!(ended.details().contains(&("last_event", Detail::Count(5))));
}

#[tokio::test(start_paused = true)]
async fn who_follows_is_let_go_when_the_server_stops() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    service.start(saga(&service)).await.unwrap();
    let before = tokio::spawn(told(service.watch(gid(), 0).await.unwrap()));
    tokio::task::yield_now().await;
    service.stop();
    assert_eq!(before.await.unwrap(), ["1 created"]);
    let after = told(service.watch(gid(), 0).await.unwrap()).await;
    assert_eq!(after, ["1 created"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_can_not_be_followed() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    let problem = service.watch(gid(), 0).await.err().unwrap();
    assert_eq!(problem.code, ErrorCode::TransactionNotFound);
}

#[tokio::test(start_paused = true)]
async fn an_abort_is_told_to_its_end() {
    let start = Instant::now();
    let service = service(&store(start), start, 1).await;
    service.start(saga(&service)).await.unwrap();
    let watching = tokio::spawn(told(service.watch(gid(), 1).await.unwrap()));
    service.abort(gid(), Reason::new("x")).await.unwrap();
    let told = watching.await.unwrap();
    assert!(told.last().unwrap().ends_with(" aborted"), "{told:?}");
}
