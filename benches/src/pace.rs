//! When the load goes on, and when it stops.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::order::Until;

/// Says how long transactions are begun.
pub(crate) enum Pace {
    UntilTime(Instant),
    /// How many are still to be begun.
    UntilNone(AtomicU64),
}

impl Pace {
    pub(crate) fn new(until: Until, started: Instant) -> Self {
        match until {
            Until::Seconds(seconds) => Self::UntilTime(started + Duration::from_secs_f64(seconds)),
            Until::Accepted(count) => Self::UntilNone(AtomicU64::new(count)),
        }
    }

    /// Answers whether another one is to be begun.
    pub(crate) fn begins(&self) -> bool {
        let one_less = |left: u64| left.checked_sub(1);
        match self {
            Self::UntilTime(end) => Instant::now() < *end,
            Self::UntilNone(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok(),
        }
    }

    /// Answers whether one that was refused is to be sent again.
    pub(crate) fn insists(&self) -> bool {
        match self {
            Self::UntilTime(end) => Instant::now() < *end,
            Self::UntilNone(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_number_is_begun_and_not_one_more() {
        let pace = Pace::new(Until::Accepted(3), Instant::now());
        assert_eq!((0..10).filter(|_| pace.begins()).count(), 3);
        assert!(pace.insists());
    }

    #[test]
    fn nothing_is_begun_or_sent_again_when_the_time_is_over() {
        let pace = Pace::new(Until::Seconds(0.0), Instant::now());
        assert!(!pace.begins());
        assert!(!pace.insists());
    }
}
