//! The names of transactions and branches, parsed once at the edge.

use std::fmt;
use std::sync::Arc;

/// Says why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {}", self.what(), self.why())]
pub enum IdError {
    /// The text is empty.
    Empty {
        /// Which id was parsed.
        what: &'static str,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// The text is longer than allowed.
    TooLong {
        /// Which id was parsed.
        what: &'static str,
        /// The length given, in bytes.
        len: usize,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// The text holds a character that is not allowed.
    Character {
        /// Which id was parsed.
        what: &'static str,
        /// The character.
        found: char,
        /// Its position, in bytes from 0.
        at: usize,
    },
}

impl IdError {
    /// Answers which id was parsed.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Empty { what, .. }
            | Self::TooLong { what, .. }
            | Self::Character { what, .. } => what,
        }
    }

    /// Says what is wrong without naming the id, for texts that say already where it stands.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            Self::Empty { max, .. } => {
                format!("is empty: give 1 to {max} characters of {ALLOWED}")
            }
            Self::TooLong { len, max, .. } => {
                format!("has {len} characters: give at most {max}")
            }
            Self::Character { found, at, .. } => {
                format!("holds {found:?} at position {at}: allowed are {ALLOWED}")
            }
        }
    }
}

/// The characters of an id, as people read them.
const ALLOWED: &str = "A-Z a-z 0-9 . _ : -";

fn parse(what: &'static str, max: usize, text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what, max });
    }
    if text.len() > max {
        return Err(IdError::TooLong {
            what,
            len: text.len(),
            max,
        });
    }
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        Some((at, found)) => Err(IdError::Character { what, found, at }),
        None => Ok(Arc::from(text)),
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-')
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest id, in characters.
            pub const LEN_MAX: usize = $max;

            /// Parses an id.
            ///
            /// # Errors
            /// The text is empty, too long, or holds a character that is not allowed.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse($what, $max, text).map(Self)
            }

            /// Answers the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    };
}

id! {
    /// Names a global transaction: 1 to 128 characters of `[A-Za-z0-9._:-]`, chosen by the initiator or by the server.
    Gid, "gid", 128
}

id! {
    /// Names a branch within its transaction: 1 to 64 characters of `[A-Za-z0-9._:-]`.
    BranchId, "branch_id", 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_take_the_allowed_characters_and_nothing_else() {
        assert!(Gid::parse("order-1:A.b_9").is_ok());
        assert!(matches!(Gid::parse(""), Err(IdError::Empty { .. })));
        assert!(matches!(
            Gid::parse("a'b"),
            Err(IdError::Character {
                found: '\'',
                at: 1,
                ..
            })
        ));
        assert!(matches!(Gid::parse("a/b"), Err(IdError::Character { .. })));
        assert!(matches!(Gid::parse("é"), Err(IdError::Character { .. })));
        assert!(Gid::parse(&"g".repeat(128)).is_ok());
        assert!(matches!(
            Gid::parse(&"g".repeat(129)),
            Err(IdError::TooLong { len: 129, .. })
        ));
        assert!(BranchId::parse(&"b".repeat(64)).is_ok());
        assert!(BranchId::parse(&"b".repeat(65)).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_name_of_the_id_and_without() {
        let error = Gid::parse("").expect_err("no id is empty");
        assert_eq!(error.what(), "gid");
        assert!(error.why().starts_with("is empty: give 1 to 128"));
        assert_eq!(error.to_string(), format!("gid {}", error.why()));
        let long = BranchId::parse(&"b".repeat(65)).expect_err("too long");
        assert_eq!(
            long.to_string(),
            "branch_id has 65 characters: give at most 64"
        );
    }
}
