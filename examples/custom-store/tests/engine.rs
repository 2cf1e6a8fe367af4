//! The engine runs on this store, and knows after a restart what it did before.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../examples/saga.rs"]
#[allow(dead_code, reason = "its main is not called here")]
mod saga;

use std::path::Path;
use std::time::{Duration, Instant};

use seata_example_store::FileStore;
use seata_store::{Gid, Status, TxnStore};

/// Opens the folder once the engine's last task has let go of it.
async fn open(folder: &Path) -> FileStore {
    let begun = Instant::now();
    loop {
        match FileStore::open(folder) {
            Ok(store) => return store,
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(60), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_saga_commits_and_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for gid in ["order-1", "order-2"] {
        let store = open(folder.path()).await;
        assert_eq!(saga::run(store, gid).await.unwrap(), "COMMITTED");
    }
    let store = open(folder.path()).await;
    for gid in ["order-1", "order-2"] {
        let stored = store.load(&Gid::parse(gid).unwrap()).await.unwrap();
        assert_eq!(stored.unwrap().header.status, Status::Committed);
    }
}
