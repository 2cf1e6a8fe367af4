//! The store's time, told from the boot-time clock and the last offset.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use seata_core::UnixMillis;

/// Tells the store's time without asking it. The offset is taken when the store's answer has arrived, so the estimate
/// is late by at most the way back and never early: a lease that has ended here has ended there.
#[derive(Debug, Default)]
pub(crate) struct StoreTime {
    offset_ms: AtomicI64,
    /// Invariant: no time below this is ever told again.
    floor_ms: AtomicI64,
}

fn boot_ms(boot: Duration) -> i64 {
    i64::try_from(boot.as_millis()).unwrap_or(i64::MAX)
}

impl StoreTime {
    /// Takes the store's answer that arrived at `boot`.
    pub(crate) fn set(&self, store: UnixMillis, boot: Duration) {
        self.offset_ms
            .store(store.0.saturating_sub(boot_ms(boot)), Ordering::Relaxed);
    }

    /// Tells the store's time at `boot`.
    pub(crate) fn at(&self, boot: Duration) -> UnixMillis {
        let now_ms = boot_ms(boot).saturating_add(self.offset_ms.load(Ordering::Relaxed));
        let floor_ms = self.floor_ms.fetch_max(now_ms, Ordering::Relaxed);
        UnixMillis(now_ms.max(floor_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_follows_the_store_and_never_goes_back() {
        let time = StoreTime::default();
        time.set(UnixMillis(1_000_000), Duration::from_secs(5));
        assert_eq!(time.at(Duration::from_secs(6)), UnixMillis(1_001_000));
        time.set(UnixMillis(900_000), Duration::from_secs(6));
        assert_eq!(time.at(Duration::from_secs(7)), UnixMillis(1_001_000));
    }
}
