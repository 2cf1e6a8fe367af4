//! The suite on this store.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use seata_example_store::FileStore;
use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases};
use tempfile::{TempDir, tempdir};

struct Folder(Option<FileStore>, TempDir);

fn open(folder: TempDir) -> Folder {
    Folder(Some(FileStore::open(folder.path()).unwrap()), folder)
}

#[async_trait::async_trait]
impl Fixture for Folder {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.0.clone().unwrap())
    }
    async fn reopen(&mut self) {
        self.0 = None; // It lets go of the folder's lock.
        self.0 = Some(FileStore::open(self.1.path()).unwrap());
    }
    async fn crash(&mut self) {
        // A copy of the file while the store has it open is what kill -9 leaves.
        let left = tempdir().unwrap();
        std::fs::copy(self.1.path().join("log"), left.path().join("log")).unwrap();
        *self = open(left);
    }
    fn leases(&self) -> Leases {
        Leases::Void
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

seata_store_conformance::suite!(open(tempdir().unwrap()));
