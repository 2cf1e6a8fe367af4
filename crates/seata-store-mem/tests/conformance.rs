//! The suite on the reference store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use seata_store::{TxnStore, UnixMillis};
use seata_store_conformance::{Fixture, Leases};
use seata_store_mem::MemStore;

struct Mem {
    clock_ms: Arc<AtomicI64>,
    store: MemStore,
}

impl Mem {
    fn new() -> Self {
        let clock_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Arc::clone(&clock_ms);
        let store = MemStore::new(Arc::new(move || UnixMillis(clock.load(Ordering::Relaxed))));
        Self { clock_ms, store }
    }
}

#[async_trait::async_trait]
impl Fixture for Mem {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone())
    }
    async fn reopen(&mut self) {}
    fn leases(&self) -> Leases {
        Leases::Lost
    }
    async fn pass(&self, span: Duration) {
        self.clock_ms.fetch_add(
            i64::try_from(span.as_millis()).unwrap_or(0),
            Ordering::Relaxed,
        );
    }
}

seata_store_conformance::suite!(Mem::new());
