//! An open transaction as memory keeps it: there may be hundreds of thousands that wait.

use seata_store::{FencingToken, Gid, Header, Mode, Owner, Revision, Status, UnixMillis};

use crate::index::Open;

/// No time: a time so early is kept as the millisecond behind it.
const NEVER: i64 = i64::MIN;

/// All of an [`Open`] but its name, in 88 bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    revision: Revision,
    first: Revision,
    token: FencingToken,
    /// In two halves, since a `u128` wants 16 bytes even for an absent one.
    owner: Option<[u64; 2]>,
    lease_until_ms: i64,
    wake_at_ms: i64,
    created_at: UnixMillis,
    updated_at: UnixMillis,
    bytes: u32,
    mode: Mode,
    status: Status,
    /// An append is being written: the lease must not change hands meanwhile.
    pub(crate) writing: bool,
}

impl Kept {
    /// Keeps what stays of it without its name. No append is being written.
    pub(crate) fn new(open: &Open) -> Self {
        let header = &open.header;
        Self {
            revision: header.revision,
            first: open.first,
            token: header.token,
            owner: header.owner.map(halves),
            lease_until_ms: kept_time(header.lease_until),
            wake_at_ms: kept_time(header.wake_at),
            created_at: header.created_at,
            updated_at: header.updated_at,
            bytes: u32::try_from(open.bytes).unwrap_or(u32::MAX),
            mode: header.mode,
            status: header.status,
            writing: false,
        }
    }

    /// Answers it whole again.
    pub(crate) fn open(&self, gid: &Gid) -> Open {
        let header = Header {
            gid: gid.clone(),
            mode: self.mode,
            status: self.status,
            revision: self.revision,
            token: self.token,
            owner: self.owner.map(whole),
            lease_until: told_time(self.lease_until_ms),
            wake_at: told_time(self.wake_at_ms),
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Open::new(
            header,
            self.first,
            usize::try_from(self.bytes).unwrap_or(usize::MAX),
        )
    }

    pub(crate) const fn updated_at(&self) -> UnixMillis {
        self.updated_at
    }
}

fn kept_time(at: Option<UnixMillis>) -> i64 {
    at.map_or(NEVER, |at| at.0.max(NEVER + 1))
}

fn told_time(at_ms: i64) -> Option<UnixMillis> {
    (at_ms != NEVER).then_some(UnixMillis(at_ms))
}

fn halves(Owner(owner): Owner) -> [u64; 2] {
    let bytes = owner.to_be_bytes();
    let (high, low) = bytes.split_at(8);
    [high, low].map(|half| half.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn whole([high, low]: [u64; 2]) -> Owner {
    Owner(u128::from(high) << 64 | u128::from(low))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn nothing_is_lost_and_it_is_small() {
        let header = Header {
            gid: Gid::parse("order:1").unwrap(),
            mode: Mode::Saga,
            status: Status::Stuck,
            revision: Revision(7),
            token: FencingToken(3),
            owner: Some(Owner(u128::MAX / 3 - 5)),
            lease_until: Some(UnixMillis(5)),
            wake_at: None,
            created_at: UnixMillis(-1),
            updated_at: UnixMillis(i64::MAX),
        };
        let open = Open::new(header, Revision(4), 64 << 20);
        let back = Kept::new(&open).open(&open.header.gid);
        assert_eq!(
            (&back.header, back.first, back.bytes),
            (&open.header, open.first, open.bytes)
        );
        assert!(size_of::<Kept>() <= 88, "{}", size_of::<Kept>());
        assert_eq!(
            told_time(kept_time(Some(UnixMillis(NEVER)))).unwrap().0,
            NEVER + 1
        );
    }
}
