//! The store's time: the wall clock, as far as it goes forward.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seata_store::UnixMillis;

/// Tells a time that never goes back and never stands still. While the wall clock is behind what was told before (it
/// was set back), time goes on at the pace of the boot-time clock: what is due in a minute is due in a minute.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Mutex<Told>,
}

#[derive(Debug, Clone, Copy)]
struct Told {
    time: UnixMillis,
    boot: Duration,
}

impl Clock {
    /// Starts at `least`, or at the wall clock if that is later: wake-ups were set by a clock that had come so far.
    pub(crate) fn starting_at(least: UnixMillis) -> Self {
        let told = Told {
            time: least,
            boot: boot(),
        };
        Self {
            last: Mutex::new(told),
        }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.tell(wall(), boot())
    }

    fn tell(&self, wall: UnixMillis, boot: Duration) -> UnixMillis {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Parts of a millisecond are kept for the next time.
        let passed_ms = boot.saturating_sub(last.boot).as_millis();
        let passed = Duration::from_millis(u64::try_from(passed_ms).unwrap_or(u64::MAX));
        last.time = last.time.plus(passed).max(wall);
        last.boot += passed;
        last.time
    }
}

fn wall() -> UnixMillis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_000_000);

    fn clock() -> Clock {
        let told = Told {
            time: START,
            boot: Duration::ZERO,
        };
        Clock {
            last: Mutex::new(told),
        }
    }

    #[test]
    fn time_follows_the_wall_clock_forward() {
        let clock = clock();
        let (wall, boot) = (UnixMillis(1_500_000), Duration::from_millis(10));
        assert_eq!(clock.tell(wall, boot), wall);
        assert_eq!(clock.tell(UnixMillis(1_500_020), boot).0, 1_500_020);
    }

    #[test]
    fn a_wall_clock_that_is_set_back_neither_turns_time_back_nor_stops_it() {
        let clock = clock();
        let wall = UnixMillis(START.0 - 86_400_000);
        let told: Vec<i64> = [0, 400, 800, 1_200, 60_001_900]
            .map(|boot_us| clock.tell(wall, Duration::from_micros(boot_us)).0 - START.0)
            .into();
        assert_eq!(told, [0, 0, 0, 1, 60_001]);
    }
}
