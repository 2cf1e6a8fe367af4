//! Calls of participants: how many of each operation, and which they were. What a coordinator must have made is compared
//! with what came.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

use serde::{Deserialize, Serialize};

/// What a participant is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Action,
    Compensation,
    Try,
    Confirm,
    Cancel,
    /// The null coordinator names none.
    Unnamed,
}

impl Operation {
    pub(crate) const ALL: [Self; 6] = [
        Self::Action,
        Self::Compensation,
        Self::Try,
        Self::Confirm,
        Self::Cancel,
        Self::Unnamed,
    ];

    /// Knows it by its name, ours or dtm's.
    pub(crate) fn named(name: &[u8]) -> Self {
        match name {
            b"action" => Self::Action,
            b"compensation" | b"compensate" => Self::Compensation,
            b"try" => Self::Try,
            b"confirm" => Self::Confirm,
            b"cancel" => Self::Cancel,
            _ => Self::Unnamed,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Compensation => "compensation",
            Self::Try => "try",
            Self::Confirm => "confirm",
            Self::Cancel => "cancel",
            Self::Unnamed => "unnamed",
        }
    }
}

/// Some calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Calls {
    /// How many, in the order of [`Operation::ALL`].
    pub(crate) counts: [u64; Operation::ALL.len()],
    /// The sum of the hashes of their keys. One that is lost and another that is doubled leave the counts as they are, but not this.
    pub(crate) keys: u64,
}

impl Calls {
    /// Counts calls without a key.
    pub(crate) fn unnamed(count: u64) -> Self {
        let mut calls = Self::default();
        calls.count(Operation::Unnamed, count);
        calls
    }

    /// Adds a call.
    pub(crate) fn add(&mut self, gid: &str, branch: &str, operation: Operation) {
        self.count(operation, 1);
        self.keys = self.keys.wrapping_add(key(gid, branch, operation));
    }

    /// Adds calls.
    pub(crate) fn add_all(&mut self, more: &Self) {
        for (sum, count) in self.counts.iter_mut().zip(more.counts) {
            *sum += count;
        }
        self.keys = self.keys.wrapping_add(more.keys);
    }

    /// Answers how many they are.
    pub(crate) fn all(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn count(&mut self, operation: Operation, count: u64) {
        for (sum, known) in self.counts.iter_mut().zip(Operation::ALL) {
            *sum += if known == operation { count } else { 0 };
        }
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.iter().zip(Operation::ALL);
        for (count, operation) in counts.filter(|(count, _)| **count > 0) {
            write!(to, "{count} × {}, ", operation.name())?;
        }
        write!(to, "keys {:x}", self.keys)
    }
}

/// Hashes the key of a call: the same call has the same, wherever it is hashed.
pub(crate) fn key(gid: &str, branch: &str, operation: Operation) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in [gid, branch, operation.name()] {
        hasher.write(part.as_bytes());
        hasher.write_u8(b'/');
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(of: &[(&str, Operation)]) -> Calls {
        let mut calls = Calls::default();
        for (gid, operation) in of {
            calls.add(gid, "01", *operation);
        }
        calls
    }

    #[test]
    fn a_lost_call_is_not_made_up_for_by_a_doubled_one() {
        use Operation::{Action, Compensation};
        let expected = calls(&[("a", Action), ("b", Action)]);
        assert_eq!(expected, calls(&[("b", Action), ("a", Action)]));
        let doubled = calls(&[("a", Action), ("a", Action)]);
        assert_eq!(doubled.counts, expected.counts);
        assert_ne!(doubled, expected);
        assert_ne!(calls(&[("a", Action), ("b", Compensation)]), expected);
    }

    #[test]
    fn sums_of_parts_are_the_sum_of_all() {
        let mut sum = calls(&[("a", Operation::Try)]);
        sum.add_all(&calls(&[("b", Operation::Confirm)]));
        assert_eq!(
            sum,
            calls(&[("a", Operation::Try), ("b", Operation::Confirm)])
        );
        assert_eq!(sum.all(), 2);
        assert_eq!(
            sum.to_string(),
            format!("1 × try, 1 × confirm, keys {:x}", sum.keys)
        );
    }

    #[test]
    fn an_operation_is_known_by_both_names() {
        assert_eq!(
            Operation::named(b"compensate"),
            Operation::named(b"compensation")
        );
        assert_eq!(Operation::named(b""), Operation::Unnamed);
    }
}
