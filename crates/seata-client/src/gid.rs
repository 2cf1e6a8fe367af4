//! The name of a global transaction. It is chosen by the initiator, so that each of its requests may be repeated.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Names a global transaction: 1 to 128 of `A-Z a-z 0-9 . _ : -`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gid(Arc<str>);

/// Says that a text is no gid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no gid: give 1 to 128 characters of A-Z a-z 0-9 . _ : -")]
pub struct InvalidGid(String);

impl Gid {
    /// The longest gid, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Makes a new one that nobody else has: a UUID of version 7, so that gids sort by time.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "each is another: there is no default one"
    )]
    pub fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// Takes a name of your own, such as an order's number: then the same order can't be begun twice.
    ///
    /// # Errors
    /// The text has other characters or another length than a gid may have.
    pub fn parse(text: &str) -> Result<Self, InvalidGid> {
        let is_gid = (1..=Self::BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        if is_gid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidGid(text.to_owned()))
        }
    }

    /// Answers the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-')
}

impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for Gid {
    type Err = InvalidGid;

    fn from_str(text: &str) -> Result<Self, InvalidGid> {
        Self::parse(text)
    }
}

impl Serialize for Gid {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Gid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn gids_that_are_made_are_valid_and_sort_by_time() {
        let made: Vec<Gid> = (0..100).map(|_| Gid::new()).collect();
        for gid in &made {
            assert_eq!(Gid::parse(gid.as_str()).as_ref(), Ok(gid));
        }
        assert!(made.is_sorted());
    }

    #[test]
    fn what_would_change_a_path_is_no_gid() {
        for bad in ["", "a/b", "a?b", "a b", "..%2f", "é", &"x".repeat(129)] {
            assert!(Gid::parse(bad).is_err(), "{bad}");
        }
        assert!(Gid::parse(&"x".repeat(128)).is_ok());
    }
}
