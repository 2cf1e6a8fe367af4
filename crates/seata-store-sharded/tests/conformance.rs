//! The suite on one, three and five reference stores behind the combinator.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use seata_store::{Gid, TxnStore, UnixMillis};
use seata_store_conformance::{Fixture, Leases};
use seata_store_mem::MemStore;
use seata_store_sharded::{Sharded, shard_of};

struct Several {
    clock_ms: Arc<AtomicI64>,
    store: Sharded,
    count: u16,
}

impl Several {
    fn new(count: u16) -> Self {
        let clock_ms = Arc::new(AtomicI64::new(1_700_000_000_000));
        let shard = || -> Arc<dyn TxnStore> {
            let clock = Arc::clone(&clock_ms);
            let time = move || UnixMillis(clock.load(Ordering::Relaxed));
            Arc::new(MemStore::new(Arc::new(time)))
        };
        let store = Sharded::new((0..count).map(|_| shard()).collect());
        Self {
            store: store.expect("there is a shard"),
            clock_ms,
            count,
        }
    }
}

#[async_trait::async_trait]
impl Fixture for Several {
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
    fn parts(&self) -> usize {
        usize::from(self.count)
    }
    fn part_of(&self, gid: &Gid) -> usize {
        usize::from(shard_of(gid, self.count))
    }
}

mod one {
    use super::Several;
    seata_store_conformance::suite!(Several::new(1));
}

mod three {
    use super::Several;
    seata_store_conformance::suite!(Several::new(3));
}

mod five {
    use super::Several;
    seata_store_conformance::suite!(Several::new(5));
}
