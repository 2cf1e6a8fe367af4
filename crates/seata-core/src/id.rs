//! The names of transactions and branches, parsed once at the edge.

use std::fmt;
use std::sync::Arc;

/// Says why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{what} is empty: give 1 to {max} characters of A-Z a-z 0-9 . _ : -")]
    Empty {
        /// Which id was parsed.
        what: &'static str,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// The text is longer than allowed.
    #[error("{what} has {len} characters: give at most {max}")]
    TooLong {
        /// Which id was parsed.
        what: &'static str,
        /// The length given, in bytes.
        len: usize,
        /// The longest that is allowed, in characters.
        max: usize,
    },
    /// The text holds a character that is not allowed.
    #[error("{what} holds {found:?} at position {at}: allowed are A-Z a-z 0-9 . _ : -")]
    Character {
        /// Which id was parsed.
        what: &'static str,
        /// The character.
        found: char,
        /// Its position, in bytes from 0.
        at: usize,
    },
}

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
}
