//! The conditional write, and its answers.

use std::time::Duration;

use bytes::Bytes;
use seata_core::{FencingToken, Gid, Mode, Status, UnixMillis};

use crate::header::{Header, Owner, Revision, Stored};

/// What the record must be for the append to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It stands at this revision under this token, whether or not the lease still holds.
    At {
        /// The revision.
        revision: Revision,
        /// The token.
        token: FencingToken,
    },
}

/// What becomes of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseChange {
    /// It stays as it is; on a new record: nobody holds it.
    Keep,
    /// `owner` holds it from now, by the store's clock, and the token rises by one. Refused while another owner's lease
    /// holds by the store's clock.
    Take {
        /// Who.
        owner: Owner,
        /// For how long.
        lasts: Duration,
    },
    /// Nobody holds it. The token stays.
    Release,
}

/// What becomes of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// These bytes follow it. May be empty.
    Add(Bytes),
    /// These bytes take its place.
    Replace(Bytes),
}

impl Chunk {
    /// Answers the bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        match self {
            Self::Add(bytes) | Self::Replace(bytes) => bytes,
        }
    }
}

/// One durable, conditional write of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// Of which transaction.
    pub gid: Gid,
    /// Its pattern; it never changes.
    pub mode: Mode,
    /// On which condition.
    pub expected: Expected,
    /// The state from now on.
    pub status: Status,
    /// When somebody must look from now on.
    pub wake_at: Option<UnixMillis>,
    /// What becomes of the lease.
    pub lease: LeaseChange,
    /// What becomes of the history.
    pub chunk: Chunk,
    /// When it was decided: `updated_at` from now on, and `created_at` of a new record.
    pub at: UnixMillis,
}

/// The answer to one append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Durable. The record now stands at this revision.
    Applied(Revision),
    /// Expected none, and there is one.
    Exists(Box<Stored>),
    /// Another revision under the same token, or no record at all. Nothing was written.
    Stale,
    /// Another token, whatever the revision; or the lease was to be taken while another owner's holds. Nothing was
    /// written.
    Fenced,
}

/// Why an append to a record is refused: the one rule that all adapters share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is a record already.
    Exists,
    /// As [`AppendOutcome::Stale`].
    Stale,
    /// As [`AppendOutcome::Fenced`].
    Fenced,
}

impl Append {
    /// Makes the append to the record under this header that leaves all as it is: what changes is put in its place.
    #[must_use]
    pub fn to(header: &Header) -> Self {
        Self {
            gid: header.gid.clone(),
            mode: header.mode,
            expected: Expected::At {
                revision: header.revision,
                token: header.token,
            },
            status: header.status,
            wake_at: header.wake_at,
            lease: LeaseChange::Keep,
            chunk: Chunk::Add(Bytes::new()),
            at: header.updated_at,
        }
    }

    /// Decides about this append on the record as it stands: answers the header after it, or the refusal. `now` is
    /// the store's time.
    ///
    /// # Errors
    /// The condition does not hold.
    pub fn judge(&self, present: Option<&Header>, now: UnixMillis) -> Result<Header, Refusal> {
        match (self.expected, present) {
            (Expected::Absent, Some(_)) => Err(Refusal::Exists),
            (Expected::At { .. }, None) => Err(Refusal::Stale),
            (Expected::Absent, None) => Ok(self.follow(None, now)),
            (Expected::At { token, .. }, Some(header)) if header.token != token => {
                Err(Refusal::Fenced)
            }
            (Expected::At { revision, .. }, Some(header)) if header.revision != revision => {
                Err(Refusal::Stale)
            }
            (Expected::At { .. }, Some(header)) if self.takes_from_another(header, now) => {
                Err(Refusal::Fenced)
            }
            (Expected::At { .. }, Some(header)) => Ok(self.follow(Some(header), now)),
        }
    }

    /// Whoever takes a lease may have a wrong clock: whether another's lease still holds is the store's to say.
    fn takes_from_another(&self, header: &Header, now: UnixMillis) -> bool {
        match self.lease {
            LeaseChange::Take { owner, .. } => header.is_leased(now) && header.owner != Some(owner),
            LeaseChange::Keep | LeaseChange::Release => false,
        }
    }

    fn follow(&self, before: Option<&Header>, now: UnixMillis) -> Header {
        let token = before.map_or(FencingToken(0), |header| header.token);
        let owner = before.and_then(|header| header.owner);
        let (token, owner, lease_until) = match self.lease {
            LeaseChange::Keep => (token, owner, before.and_then(|header| header.lease_until)),
            LeaseChange::Take { owner, lasts } => (
                FencingToken(token.0 + 1),
                Some(owner),
                Some(now.plus(lasts)),
            ),
            LeaseChange::Release => (token, owner, None),
        };
        Header {
            gid: self.gid.clone(),
            mode: self.mode,
            status: self.status,
            revision: before.map_or(Revision(1), |header| header.revision.next()),
            token,
            owner,
            lease_until,
            wake_at: self.wake_at,
            created_at: before.map_or(self.at, |header| header.created_at),
            updated_at: before.map_or(self.at, |header| header.updated_at.max(self.at)),
        }
    }
}
