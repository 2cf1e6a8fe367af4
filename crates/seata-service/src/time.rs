//! Instants as RFC 3339, UTC, with milliseconds.

use jiff::Timestamp;
use seata_core::UnixMillis;

/// Writes an instant.
pub fn rfc3339(at: UnixMillis) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or(if at.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    format!("{at:.3}")
}

/// Cuts an instant to seconds.
pub const fn unix_secs(at: UnixMillis) -> i64 {
    at.0.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds_and_never_fail() {
        assert_eq!(rfc3339(UnixMillis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            rfc3339(UnixMillis(1_700_000_000_120)),
            "2023-11-14T22:13:20.120Z"
        );
        assert!(rfc3339(UnixMillis(i64::MAX)).starts_with("9999-"));
        assert!(!rfc3339(UnixMillis(i64::MIN)).is_empty());
        assert_eq!(unix_secs(UnixMillis(-1)), -1);
    }
}
