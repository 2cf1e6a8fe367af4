//! The store's time, told from the boot-time clock and the last offset.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use seata_core::UnixMillis;

/// Tells the store's time without asking it. The offset is taken when the store's answer has arrived, so the estimate
/// is late by at most the way back, and never early but by what the clocks have parted since: a lease that has ended here
/// has ended there. An answer that was long on its way, or came to a process that stood still, teaches nothing that an
/// earlier one didn't know better.
#[derive(Debug, Default)]
pub(crate) struct StoreTime {
    offset_ms: AtomicI64,
    /// How long the answer took that told it.
    took_ms: AtomicI64,
    /// Invariant: no time below this is ever told again.
    floor_ms: AtomicI64,
}

fn boot_ms(boot: Duration) -> i64 {
    i64::try_from(boot.as_millis()).unwrap_or(i64::MAX)
}

impl StoreTime {
    /// Takes the store's answer, which arrived at `boot` and was asked for so long before. It was made some time in
    /// between: the offset that is known stays if it fits to that and its own answer was much quicker. If it doesn't fit, it
    /// is late, or the store's clock was set back.
    pub(crate) fn set(&self, store: UnixMillis, boot: Duration, took: Duration) {
        let least = store.0.saturating_sub(boot_ms(boot));
        let took_ms = boot_ms(took);
        let most = least.saturating_add(took_ms);
        let fits = (least..=most).contains(&self.offset_ms.load(Ordering::Relaxed));
        // Else clocks of different speed would drift apart, as far as a usual answer takes.
        let is_slower = took_ms > self.took_ms.load(Ordering::Relaxed).saturating_mul(2);
        if !(fits && is_slower) {
            self.offset_ms.store(least, Ordering::Relaxed);
            self.took_ms.store(took_ms, Ordering::Relaxed);
        }
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

    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn time_follows_the_store_and_never_goes_back() {
        let time = StoreTime::default();
        time.set(UnixMillis(1_000_000), Duration::from_secs(5), MOMENT);
        assert_eq!(time.at(Duration::from_secs(6)), UnixMillis(1_001_000));
        time.set(UnixMillis(900_000), Duration::from_secs(6), MOMENT);
        assert_eq!(time.at(Duration::from_secs(7)), UnixMillis(1_001_000));
        assert_eq!(time.at(Duration::from_secs(108)), UnixMillis(1_002_000));
    }

    #[test]
    fn an_answer_that_was_long_on_its_way_makes_nothing_late_that_was_not() {
        let time = StoreTime::default();
        time.set(UnixMillis(1_000_000), Duration::from_secs(5), MOMENT);
        let took = Duration::from_millis(900);
        time.set(UnixMillis(1_005_000), Duration::from_millis(10_800), took);
        assert_eq!(time.at(Duration::from_secs(11)), UnixMillis(1_006_000));
        time.set(UnixMillis(1_007_000), Duration::from_secs(11), MOMENT);
        assert_eq!(time.at(Duration::from_secs(11)), UnixMillis(1_007_000));
    }

    /// Of two clocks one is faster, and each answer takes longer than they part in between.
    #[test]
    fn a_slow_clock_is_followed_however_long_answers_take() {
        let time = StoreTime::default();
        let usual = Duration::from_millis(40);
        time.set(UnixMillis(1_000_000), Duration::from_secs(0), usual);
        for round in 1..=10 {
            let store = UnixMillis(1_000_000 + round * 4_990);
            let boot = Duration::from_secs(5) * u32::try_from(round).unwrap_or(0);
            time.set(store, boot, usual);
        }
        assert_eq!(time.at(Duration::from_secs(60)), UnixMillis(1_059_900));
    }
}
