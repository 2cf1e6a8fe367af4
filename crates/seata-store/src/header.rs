//! The part of a record that stores may read.

use bytes::Bytes;
use seata_core::{FencingToken, Gid, Mode, Status, UnixMillis};

/// Counts the appends to a transaction from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// Answers the one that follows.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Names one start of one coordinator: 128 random bits, new at each start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u128);

/// What a store knows of a transaction without its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub gid: Gid,
    /// Its pattern.
    pub mode: Mode,
    /// Its state as of the last append.
    pub status: Status,
    /// Counts its appends.
    pub revision: Revision,
    /// Rises whenever the lease is taken.
    pub token: FencingToken,
    /// Who took the lease last. It stays after the lease has ended or was released.
    pub owner: Option<Owner>,
    /// Until when the lease holds, by the store's clock. None: nobody holds it.
    pub lease_until: Option<UnixMillis>,
    /// When somebody must look. None: it has ended, or waits for an operator.
    pub wake_at: Option<UnixMillis>,
    /// When it was created.
    pub created_at: UnixMillis,
    /// The time of the last append.
    pub updated_at: UnixMillis,
}

impl Header {
    /// Answers whether somebody holds the lease at this time.
    #[must_use]
    pub fn is_leased(&self, now: UnixMillis) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }
}

/// A whole record: the header and the chunks, oldest first; a store may have joined them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What stores may read.
    pub header: Header,
    /// What only `record` reads.
    pub chunks: Vec<Bytes>,
}
