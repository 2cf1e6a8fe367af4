//! Time as the core sees it: an argument, in milliseconds of the store's clock.

use std::fmt;
use std::time::Duration;

/// Counts milliseconds since 1970-01-01 UTC by the store's clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// Answers this instant moved into the future, saturating at the end of time. Part milliseconds are cut off.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(span_ms))
    }

    /// Answers how long it is from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let span_ms = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(span_ms).unwrap_or(0))
    }
}

impl fmt::Debug for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
