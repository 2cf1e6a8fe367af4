//! Calls in flight are bounded in all and per destination, and a slow destination holds up nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use seata_core::{Endpoint, Outcome};
use seata_engine::Caller;
use seata_executor::{Executor, ExecutorConfig};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::calls::{call, made};
use crate::participant::{Participant, answer};

/// A participant that answers when told, and notes how many it was asked at once.
struct Gated {
    participant: Participant,
    gate: Arc<Semaphore>,
    arrived: Arc<Semaphore>,
    peak: Arc<AtomicUsize>,
}

impl Gated {
    async fn new() -> Self {
        let gate = Arc::new(Semaphore::new(0));
        let arrived = Arc::new(Semaphore::new(0));
        let (inside, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let noted = (Arc::clone(&gate), Arc::clone(&arrived), Arc::clone(&peak));
        let participant = Participant::answering(move |_| {
            let (gate, arrived, peak) = noted.clone();
            let inside = Arc::clone(&inside);
            async move {
                peak.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                arrived.add_permits(1);
                gate.acquire().await.unwrap().forget();
                inside.fetch_sub(1, Ordering::SeqCst);
                answer(200, "")
            }
        })
        .await;
        Self {
            participant,
            gate,
            arrived,
            peak,
        }
    }
}

fn bounded(all: usize, per_destination: usize) -> Arc<Executor> {
    Arc::new(Executor::new(ExecutorConfig {
        calls_in_flight_max: all,
        calls_in_flight_per_destination_max: per_destination,
        ..ExecutorConfig::default()
    }))
}

fn spawn(executor: &Arc<Executor>, url: String) -> JoinHandle<Outcome> {
    let executor = Arc::clone(executor);
    tokio::spawn(async move { made(&executor, call(&url)).await })
}

#[tokio::test]
async fn a_slow_destination_is_bounded_and_holds_up_nobody_else() {
    let (slow, fast) = (Gated::new().await, Participant::always(200, "").await);
    let executor = bounded(3, 2);
    let calls: Vec<_> = (0..6)
        .map(|_| spawn(&executor, slow.participant.url()))
        .collect();
    slow.arrived.acquire_many(2).await.unwrap().forget();
    // Two are with the slow one, four wait for it, and one place in all is left for others.
    for _ in 0..3 {
        let outcome = made(&executor, call(&fast.url())).await;
        assert_eq!(outcome.as_str(), "success");
    }
    slow.gate.add_permits(6);
    for outcome in calls {
        assert_eq!(outcome.await.unwrap().as_str(), "success");
    }
    assert_eq!(slow.peak.load(Ordering::SeqCst), 2);
    assert_eq!(slow.participant.notes.received().len(), 6);
}

#[tokio::test]
async fn calls_to_all_destinations_together_are_bounded() {
    let executor = bounded(2, 2);
    let slot = |url: &str| {
        let (executor, endpoint) = (Arc::clone(&executor), Endpoint::parse(url).unwrap());
        async move { executor.slot(&endpoint).await }.boxed()
    };
    let first = slot("http://a/").now_or_never().unwrap();
    let second = slot("http://b/").now_or_never().unwrap();
    assert!(first.is_bounded() && second.is_bounded());
    let mut third = slot("http://c/");
    assert!((&mut third).now_or_never().is_none());
    drop(first);
    assert!(third.now_or_never().is_some());
    drop(second);
}

#[tokio::test]
async fn a_destination_is_a_scheme_host_and_port_whatever_the_path() {
    let executor = bounded(10, 1);
    let endpoint = |url: &str| Endpoint::parse(url).unwrap();
    let held = executor.slot(&endpoint("http://a:1/x")).now_or_never();
    assert!(held.is_some());
    assert!(
        executor
            .slot(&endpoint("http://a:1/y?z"))
            .now_or_never()
            .is_none()
    );
    for other in ["http://a:2/x", "https://a:1/x", "http://b:1/x", "local://a"] {
        let slot = executor.slot(&endpoint(other)).now_or_never();
        assert!(slot.is_some(), "{other}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_gives_its_place_back() {
    let slow = Gated::new().await;
    let executor = bounded(1, 1);
    let dropped = spawn(&executor, slow.participant.url());
    slow.arrived.acquire().await.unwrap().forget();
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    let endpoint = Endpoint::parse(&slow.participant.url()).unwrap();
    assert!(executor.slot(&endpoint).now_or_never().is_some());
}
