//! How often what is driven elsewhere is looked at: rarely enough that thousands who wait don't wear the store out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How often one client's transaction is looked at: first, and at most.
pub(crate) const LOOK_FIRST: Duration = Duration::from_millis(50);
pub(crate) const LOOK_MAX: Duration = Duration::from_millis(500);

/// How often all who wait look together: at most once in this time.
const SHARE: Duration = Duration::from_millis(1);

/// Counts those who look from here.
#[derive(Debug, Default)]
pub(crate) struct Lookers(AtomicU32);

/// One client's looks at what is driven elsewhere.
pub(crate) struct Looks<'a> {
    lookers: &'a Lookers,
    pause: Duration,
}

impl Lookers {
    /// Begins to look.
    pub(crate) fn begin(&self) -> Looks<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Looks {
            lookers: self,
            pause: LOOK_FIRST,
        }
    }
}

impl Looks<'_> {
    /// Answers how long to wait before the next look: longer each time, and so long that all together look at most a
    /// thousand times in a second.
    pub(crate) fn pause(&mut self) -> Duration {
        let shared = SHARE * self.lookers.0.load(Ordering::Relaxed);
        let pause = self.pause.max(shared);
        self.pause = (self.pause * 2).min(LOOK_MAX);
        pause
    }
}

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        self.lookers.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_alone_looks_often_and_who_waits_with_thousands_seldom() {
        let lookers = Lookers::default();
        let mut alone = lookers.begin();
        assert_eq!(alone.pause(), LOOK_FIRST);
        for _ in 0..9 {
            alone.pause();
        }
        assert_eq!(alone.pause(), LOOK_MAX);
        let others: Vec<_> = (0..9_999).map(|_| lookers.begin()).collect();
        assert_eq!(alone.pause(), Duration::from_secs(10));
        drop(others);
        assert_eq!(alone.pause(), LOOK_MAX);
    }
}
