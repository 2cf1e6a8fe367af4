//! The suite on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases};
use seata_store_postgres::PostgresStore;
use support::{Apart, Place};

struct Schema {
    // Dropped first: its connections are gone before its tables.
    store: PostgresStore,
    place: Place,
}

impl Schema {
    async fn new() -> Option<Self> {
        let place = Place::new(Apart::Schema).await?;
        Some(Self {
            store: place.open().await,
            place,
        })
    }
}

#[async_trait::async_trait]
impl Fixture for Schema {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone())
    }
    async fn reopen(&mut self) {
        self.store = self.place.open().await;
    }
    fn leases(&self) -> Leases {
        Leases::Hold
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

seata_store_conformance::suite!(maybe Schema::new().await);
