//! The store's time as a server tells it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use seata_core::UnixMillis;
use seata_engine::{Clock, Config, Engine, Task};
use seata_store::Owner;
use seata_store_mem::MemStore;

/// How long the process stands still.
const STOOD_MS: u64 = 8_000;

/// A boot-time clock that goes on while the process, and with it all its timers, stands still.
#[derive(Default)]
struct Boot(AtomicU64);

impl Clock for Boot {
    fn boot(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
    fn spawn(&self, task: Task) {
        drop(tokio::spawn(task));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_the_process_stood_still_tells_no_time() {
    let clock = Arc::new(Boot::default());
    let told = Arc::clone(&clock);
    let store = MemStore::new(Arc::new(move || {
        let now = told.0.load(Ordering::Relaxed);
        if now == 0 {
            // The answer is on its way, and nobody takes it.
            told.0.store(STOOD_MS, Ordering::Relaxed);
        }
        UnixMillis(1_700_000_000_000 + i64::try_from(now).unwrap())
    }));
    let engine = Engine::start(
        Arc::new(store),
        Arc::new(Script::default()),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Config::new(Owner(1)),
    )
    .await
    .unwrap();
    let expected = UnixMillis(1_700_000_000_000 + i64::try_from(STOOD_MS).unwrap());
    assert_eq!(engine.now(), expected);
}
