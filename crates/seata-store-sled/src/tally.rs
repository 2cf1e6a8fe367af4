//! What must be there: how many keys, and the sum of their hashes. sled drops what it can't read in silence; a sum that
//! does not add up tells.

use seata_store::StoreError;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::corrupt;

/// The version of the written form.
const VERSION: u8 = 1;

/// Counts all keys but its own. Each batch writes it anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The number of the batch that wrote it.
    pub(crate) batch: u64,
    /// How often the store was opened.
    pub(crate) opens: u64,
    keys: u64,
    sum: u128,
}

impl Tally {
    /// Counts a key that was not there.
    pub(crate) fn add(&mut self, key: &[u8]) {
        self.keys = self.keys.wrapping_add(1);
        self.sum = self.sum.wrapping_add(xxh3_128(key));
    }

    /// Counts a key that is gone.
    pub(crate) fn subtract(&mut self, key: &[u8]) {
        self.keys = self.keys.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(xxh3_128(key));
    }

    /// Answers whether both count the same keys.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        (self.keys, self.sum) == (other.keys, other.sum)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut value = vec![VERSION];
        for number in [self.batch, self.opens, self.keys] {
            value.extend_from_slice(&number.to_le_bytes());
        }
        value.extend_from_slice(&self.sum.to_le_bytes());
        value
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, StoreError> {
        let damaged = || corrupt("the tally is not what was written");
        let (version, rest) = value.split_first().ok_or_else(damaged)?;
        let (batch, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (opens, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let (keys, rest) = rest.split_first_chunk().ok_or_else(damaged)?;
        let sum = rest.try_into().map_err(|_| damaged())?;
        if *version != VERSION {
            return Err(corrupt(format!(
                "the tally has layout {version}, this server knows {VERSION}"
            )));
        }
        Ok(Self {
            batch: u64::from_le_bytes(*batch),
            opens: u64::from_le_bytes(*opens),
            keys: u64::from_le_bytes(*keys),
            sum: u128::from_le_bytes(sum),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn keys_count_in_any_order_and_what_is_removed_counts_no_more() {
        let mut one = Tally::default();
        let mut other = Tally::default();
        ["a", "b", "c"]
            .iter()
            .for_each(|key| one.add(key.as_bytes()));
        ["c", "x", "a"]
            .iter()
            .for_each(|key| other.add(key.as_bytes()));
        assert!(!one.agrees(&other));
        other.subtract(b"x");
        other.add(b"b");
        assert!(one.agrees(&other));
        other.batch = 9;
        assert!(one.agrees(&other));
        assert_eq!(Tally::read(&other.write()).unwrap(), other);
        assert!(Tally::read(&other.write()[1..]).is_err() && Tally::read(&[7; 41]).is_err());
    }
}
