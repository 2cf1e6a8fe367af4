//! Plays several scenarios in one test, and says which, how long each took, and what was measured.

use std::time::{Duration, Instant};

use crate::shared::SharedStore;

/// Plays a scenario on a store. The last one that is named in the output of a failed test is the one that failed.
pub async fn in_scenario(store: &SharedStore, name: &str, scenario: impl Future<Output = ()>) {
    let kind = store.kind().as_str();
    eprintln!("{kind}: {name}");
    let begun = Instant::now();
    scenario.await;
    eprintln!("{kind}: {name}: {:.1} s", begun.elapsed().as_secs_f64());
}

/// Says how long something took, for whoever quotes it. Nothing asserts it.
pub fn measured(store: &SharedStore, what: &str, took: Duration) {
    let kind = store.kind().as_str();
    eprintln!("measured: {kind}: {what}: {:.2} s", took.as_secs_f64());
}
