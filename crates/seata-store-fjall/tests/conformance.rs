//! The suite on the embedded store.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases};
use seata_store_fjall::{FjallOptions, FjallStore};

struct Folder {
    folder: tempfile::TempDir,
    store: Option<FjallStore>,
}

fn open(folder: &tempfile::TempDir) -> FjallStore {
    let on_fatal = Box::new(|why: &str| panic!("{why}"));
    FjallStore::open(
        folder.path(),
        FjallOptions {
            disk_free_min_bytes: 0,
            on_fatal,
        },
    )
    .unwrap()
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            store: Some(open(&folder)),
            folder,
        }
    }
}

#[async_trait::async_trait]
impl Fixture for Folder {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone().unwrap())
    }
    async fn reopen(&mut self) {
        self.store = None;
        self.store = Some(open(&self.folder));
    }
    fn leases(&self) -> Leases {
        Leases::Void
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

seata_store_conformance::suite!(Folder::new());
