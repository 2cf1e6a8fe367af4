//! What is counted: without a gid, a URL or any other label.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use seata_engine::{Caller, Slot};
use seata_executor::{Executor, ExecutorConfig};

use crate::calls::{call, made, within};
use crate::participant::Participant;

#[derive(Default)]
struct Seen {
    keys: Mutex<Vec<Key>>,
    in_flight: Arc<AtomicU64>,
    latencies: Arc<Latencies>,
}

#[derive(Default)]
struct Latencies(AtomicU64);

impl HistogramFn for Latencies {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Seen {
    fn in_flight(&self) -> f64 {
        f64::from_bits(self.in_flight.load(Ordering::SeqCst))
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.keys.lock().unwrap().push(key.clone());
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.keys.lock().unwrap().push(key.clone());
        Gauge::from_arc(Arc::clone(&self.in_flight))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.keys.lock().unwrap().push(key.clone());
        Histogram::from_arc(Arc::clone(&self.latencies))
    }
}

#[tokio::test]
async fn calls_are_counted_by_two_series_however_many_transactions_there_are() {
    let seen = Seen::default();
    let executor = metrics::with_local_recorder(&seen, || Executor::new(ExecutorConfig::default()));
    let participant = Participant::always(200, "").await;
    for _ in 0..3 {
        made(&executor, call(&participant.url())).await;
    }
    let silent = within("local://nobody", Duration::from_secs(1));
    made(&executor, silent).await;
    assert_eq!(seen.latencies.0.load(Ordering::SeqCst), 4);
    let keys = seen.keys.lock().unwrap();
    let names: Vec<_> = keys.iter().map(Key::name).collect();
    assert_eq!(
        names,
        ["seata_calls_in_flight", "seata_branch_latency_seconds"]
    );
    assert!(keys.iter().all(|key| key.labels().len() == 0));
}

#[tokio::test]
async fn a_call_is_in_flight_until_it_ends_or_is_dropped() {
    let seen = Seen::default();
    let executor = metrics::with_local_recorder(&seen, || Executor::new(ExecutorConfig::default()));
    let participant = Participant::always(200, "").await;
    let mut first = executor.call(call(&participant.url()), Slot::unbounded());
    let mut second = executor.call(call(&participant.url()), Slot::unbounded());
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert!((seen.in_flight() - 2.0).abs() < 0.5);
    drop(first);
    assert!((seen.in_flight() - 1.0).abs() < 0.5);
    assert_eq!(second.await.as_str(), "success");
    assert!(seen.in_flight().abs() < 0.5);
}
