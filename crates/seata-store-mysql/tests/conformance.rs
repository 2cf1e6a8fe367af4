//! The suite on a real server.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use support::Database;

struct Mysql {
    database: Database,
    store: MysqlStore,
}

impl Mysql {
    async fn new() -> Option<Self> {
        let database = Database::create().await?;
        let store = MysqlStore::open(options(&database)).await.unwrap();
        Some(Self { database, store })
    }
}

/// The suite runs many at once, on a machine that may be slow: it is not about time.
fn options(database: &Database) -> MysqlOptions {
    MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    }
}

#[async_trait::async_trait]
impl Fixture for Mysql {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone())
    }
    async fn reopen(&mut self) {
        self.store = MysqlStore::open(options(&self.database)).await.unwrap();
    }
    fn leases(&self) -> Leases {
        Leases::Hold
    }
    async fn another(&self) -> Arc<dyn TxnStore> {
        Arc::new(MysqlStore::open(options(&self.database)).await.unwrap())
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

seata_store_conformance::suite!(maybe Mysql::new().await);
