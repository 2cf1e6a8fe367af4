//! Counts how often the folder was opened, so that no start gives out a token of another.
//!
//! Claims raise tokens in memory alone, so a token above the stored one may have been given out, and calls made under it
//! that no append tells of. Whoever claims after a restart must get a token that nobody ever had: each start begins with
//! tokens of its own, and its number is durable before anything can be claimed.

use fjall::{Database, Keyspace, PersistMode};
use seata_store::{FencingToken, StoreError};

use crate::layout;
use crate::read;

/// The most claims of one transaction in one start that are told apart from those of other starts: one a millisecond
/// for a quarter of an hour, when a lease lasts seconds.
const CLAIMS_PER_START: u64 = 1 << 20;

/// The number of a start, from 1. Folders from before starts were counted begin with 1 too: their tokens are lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start(u64);

impl Start {
    /// Answers the number of the start that begins now. Nothing is written yet.
    pub(crate) fn next(ended: &Keyspace) -> Result<Self, StoreError> {
        let written = ended.get(layout::STARTS).map_err(|e| read::failed(&e))?;
        let before = match written {
            Some(value) => layout::read_number(&value, "the count of starts")?,
            None => 0,
        };
        Ok(Self(before.saturating_add(1)))
    }

    /// Takes note of it, durably. Nothing may be claimed before.
    pub(crate) fn write(self, database: &Database, ended: &Keyspace) -> Result<(), fjall::Error> {
        let mut batch = database.batch().durability(Some(PersistMode::SyncData));
        batch.insert(ended, layout::STARTS, self.0.to_le_bytes());
        batch.commit()
    }

    /// Answers the token with which a transaction is open in this start: above the stored one, and above all that
    /// earlier starts gave out.
    pub(crate) fn token(self, stored: FencingToken) -> FencingToken {
        let own = self.0.saturating_mul(CLAIMS_PER_START);
        FencingToken(stored.0.max(own).saturating_add(1))
    }
}
