//! The suite on sled.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases};
use seata_store_sled::SledStore;

struct Folder {
    folder: tempfile::TempDir,
    store: Option<SledStore>,
}

fn open(folder: &tempfile::TempDir) -> SledStore {
    support::open(folder.path()).unwrap()
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
    /// A copy of the files while the store has them open is what kill -9 leaves.
    async fn crash(&mut self) {
        let left = tempfile::tempdir().unwrap();
        support::copy(self.folder.path(), left.path());
        self.store = None;
        self.folder = left;
        self.store = Some(open(&self.folder));
    }
    fn leases(&self) -> Leases {
        Leases::Void
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
    /// It is not optimised here, and each batch is synced.
    fn records_max(&self) -> usize {
        seata_store_conformance::records(20_000)
    }
}

seata_store_conformance::suite!(Folder::new());
