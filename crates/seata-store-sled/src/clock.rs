//! The store's time: the wall clock, as far as it goes forward.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use seata_store::UnixMillis;

/// Tells a time that never goes back. While the wall clock is behind what was told before (it was set back), time goes on
/// at the pace of the boot-time clock.
#[derive(Debug)]
pub(crate) struct Clock {
    /// What was told at which boot time.
    anchor: Mutex<(UnixMillis, Duration)>,
}

impl Clock {
    /// Starts at `least`, or at the wall clock if that is later.
    pub(crate) fn starting_at(least: UnixMillis) -> Self {
        Self {
            anchor: Mutex::new((least, boot())),
        }
    }

    pub(crate) fn now(&self) -> UnixMillis {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let wall_ms = wall.unwrap_or_default().as_millis();
        self.tell(
            UnixMillis(i64::try_from(wall_ms).unwrap_or(i64::MAX)),
            boot(),
        )
    }

    fn tell(&self, wall: UnixMillis, boot: Duration) -> UnixMillis {
        let mut anchor = self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let told = anchor.0.plus(boot.saturating_sub(anchor.1));
        if wall > told {
            *anchor = (wall, boot);
        }
        told.max(wall)
    }
}

fn boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_follows_the_wall_clock_forward_and_the_boot_time_clock_otherwise() {
        let clock = Clock {
            anchor: Mutex::new((UnixMillis(1_000_000), Duration::ZERO)),
        };
        let told = [
            (1_500_000, 10),
            (1_500_020, 30),
            // Set back by a day: time neither goes back nor stands still.
            (1_500_020 - 86_400_000, 30),
            (1_500_020 - 86_400_000, 31),
            (1_500_020 - 86_340_000, 60_030),
        ]
        .map(|(wall_ms, boot_ms)| {
            clock
                .tell(UnixMillis(wall_ms), Duration::from_millis(boot_ms))
                .0
        });
        assert_eq!(
            told,
            [1_500_000, 1_500_020, 1_500_020, 1_500_021, 1_560_020]
        );
    }
}
