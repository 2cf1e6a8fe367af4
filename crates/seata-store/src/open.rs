//! How shared stores are opened: which part of the transactions a database keeps, and who changes its tables.

use std::fmt::{self, Display, Formatter};

/// Which part of all transactions one database keeps. It is written into the database when that is first opened, so
/// that databases given in another order, or in another number, are refused instead of searched in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u16,
    count: u16,
}

impl Shard {
    /// The only one: all transactions.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// Answers the one with this index, from 0, of so many; none if there is no such one.
    #[must_use]
    pub const fn new(index: u16, count: u16) -> Option<Self> {
        if index < count {
            Some(Self { index, count })
        } else {
            None
        }
    }

    /// Answers which it is, from 0.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.index
    }

    /// Answers how many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }
}

/// As it is written into a database: `index/count`.
impl Display for Shard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Who brings the tables of a database up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// The server, when it starts.
    Auto,
    /// Somebody else; the server refuses to start where something is missing.
    Check,
    /// Somebody else; the server does not look.
    Off,
}

/// What bringing the tables of a database up to date came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The numbers of the files that were missing and are applied now; none: the tables were up to date.
    pub applied: Vec<i64>,
    /// The number at which the tables stand.
    pub version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_all() {
        assert_eq!(Shard::new(0, 1), Some(Shard::WHOLE));
        assert_eq!(Shard::new(2, 2), None);
        assert_eq!(Shard::new(0, 0), None);
        assert_eq!(
            Shard::new(1, 3).map(|shard| shard.to_string()),
            Some("1/3".to_owned())
        );
    }
}
