//! What the store's clock does to its servers: leases that end before their holders can know, and times that are told
//! too late. Each excuse names the jump or the delay that it comes from, and ends with it.

use std::time::Duration;

use seata_store::Owner;

use crate::oracle::{Now, Oracle, Truth};
use crate::plan::Knobs;

/// How often a server asks for the store's time (`seata_engine`'s `TIME_INTERVAL`), and how often at once until an
/// answer comes in time.
const TIME_INTERVAL_MS: u64 = 5_000;
const TIME_TRIES_MAX: u64 = 3;

/// What happened to the store's clock, and to its answers, by real time.
#[derive(Debug, Default)]
pub(crate) struct StoreClock {
    /// When it jumped, and how far, in ms.
    jumps: Vec<(u64, u64)>,
    /// From when until when answers were long on their way, and how long at most, in ms.
    slow: Vec<(u64, u64, u64)>,
    store_timeout_ms: u64,
}

impl StoreClock {
    pub(crate) fn new(knobs: &Knobs) -> Self {
        Self {
            jumps: Vec::new(),
            slow: Vec::new(),
            store_timeout_ms: knobs.store_timeout_ms,
        }
    }

    fn has_jumped(&self, from_ms: u64, to_ms: u64) -> bool {
        self.jumps
            .iter()
            .any(|(at_ms, _)| (from_ms..=to_ms).contains(at_ms))
    }
}

impl Oracle {
    /// Notes that the store's clock jumps.
    pub(crate) fn store_jumped(&mut self, by_ms: u64, now: Now) {
        self.clock.jumps.push((now.ms, by_ms));
        self.troubled_all(now.ms);
    }

    /// Notes that the store's answers are so long on their way until then.
    pub(crate) fn store_slow(&mut self, way_back_ms: u64, until_ms: u64, now: Now) {
        self.clock.slow.push((now.ms, until_ms, way_back_ms));
    }

    /// Answers when the lease of this server ends by the time that has really passed, if the store's clock has jumped
    /// while it held, up to `to_ms`. It ends earlier in the store then. Its holder learns of that when he renews, and
    /// goes by his own clock until then, at most until here. None: no jump excuses him.
    pub(crate) fn lease_end_by_real_time(
        &self,
        truth: &Truth,
        owner: Owner,
        to_ms: u64,
    ) -> Option<u64> {
        let granted_ms = truth.granted_ms(owner)?;
        self.clock
            .has_jumped(granted_ms, to_ms)
            .then_some(granted_ms + self.lease_ms)
    }

    /// Answers whether this server may begin calls although another has taken its lease: the store's clock jumped, and by
    /// real time at least half of the lease is left.
    pub(crate) fn is_misled_by_jump(&self, truth: &Truth, owner: Owner, now: Now) -> bool {
        let end_ms = self.lease_end_by_real_time(truth, owner, now.ms);
        end_ms.is_some_and(|end_ms| now.ms + self.lease_ms / 2 <= end_ms)
    }

    /// Answers how much too late a server may have told the time during a call that it began at `begun_ms`: by what the
    /// clock jumped since it asked last, and by how long the answer was on its way. It asks at intervals, and may have
    /// failed to as long as something was wrong.
    pub(crate) fn lateness(&self, owner: Owner, begun_ms: u64, now: Now) -> Duration {
        let Some(life) = self.lives.get(&owner) else {
            return Duration::ZERO;
        };
        let learns_ms = TIME_INTERVAL_MS + TIME_TRIES_MAX * self.clock.store_timeout_ms;
        let matters = |from_ms: u64, to_ms: u64| {
            from_ms <= now.ms && to_ms.max(life.trouble_ms) + learns_ms >= begun_ms
        };
        let jumps = self.clock.jumps.iter();
        let jumped_ms: u64 = jumps
            .filter(|(at_ms, _)| matters(*at_ms, *at_ms))
            .map(|(_, by_ms)| by_ms)
            .sum();
        let slow = self.clock.slow.iter();
        let slow_ms = slow
            .filter(|(from_ms, until_ms, _)| matters(*from_ms, *until_ms))
            .map(|(_, _, way_back_ms)| *way_back_ms)
            .max();
        Duration::from_millis(jumped_ms + slow_ms.unwrap_or(0))
    }
}
