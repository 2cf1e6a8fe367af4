//! Values and names as they stand in SQL text. Only numbers, bytes in hexadecimal and gids get into it: a gid holds
//! nothing but letters, digits and `._:-`, so no text can break out of its quotes.

use std::fmt::Write as _;
use std::time::Duration;

use seata_store::{Gid, Owner, UnixMillis};

/// The columns of a header, in the order in which `layout` reads them.
pub(crate) const HEADER: &str =
    "gid, mode, status, revision, token, owner, lease_until, wake_at, created_at, updated_at";

/// The server's clock in UTC milliseconds, whatever the zone of the session or of the server.
pub(crate) const NOW: &str = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000";

/// Leases end this long after the beginning of time at the latest, in milliseconds: no sum runs over.
const LASTS_MS_MAX: i64 = i64::MAX / 4;

pub(crate) fn millis(lasts: Duration) -> i64 {
    i64::try_from(lasts.as_millis()).map_or(LASTS_MS_MAX, |lasts| lasts.min(LASTS_MS_MAX))
}

pub(crate) fn bytes(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    let mut text = String::with_capacity(bytes.len() * 2 + 3);
    text.push_str("X'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
    text
}

pub(crate) fn owner(owner: Option<Owner>) -> String {
    owner.map_or_else(|| "NULL".to_owned(), |owner| bytes(&owner.0.to_be_bytes()))
}

pub(crate) fn instant(at: Option<UnixMillis>) -> String {
    at.map_or_else(|| "NULL".to_owned(), |at| at.0.to_string())
}

/// Writes gids as a list in parentheses.
pub(crate) fn gids<'a>(gids: impl IntoIterator<Item = &'a Gid>) -> String {
    let mut text = String::from("(");
    for gid in gids {
        let separator = if text.len() == 1 { "" } else { ", " };
        let _ = write!(text, "{separator}'{gid}'");
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn values_are_written_so_that_nothing_breaks_out() {
        assert_eq!(bytes(b"\x00'\\\xff"), "X'00275CFF'");
        assert_eq!(bytes(b""), "X''");
        assert_eq!(owner(None), "NULL");
        assert_eq!(owner(Some(Owner(1))), format!("X'{}1'", "0".repeat(31)));
        assert_eq!(instant(Some(UnixMillis(i64::MIN))), i64::MIN.to_string());
        let names = ["a", "b:1"].map(|name| Gid::parse(name).unwrap());
        assert_eq!(gids(&names), "('a', 'b:1')");
        assert!(Gid::parse("a'b").is_err());
        assert!(Gid::parse("a\\").is_err());
    }

    #[test]
    fn no_lease_runs_over() {
        assert_eq!(millis(Duration::from_secs(2)), 2_000);
        assert_eq!(millis(Duration::MAX), LASTS_MS_MAX);
    }
}
