//! Claims: leases out what is due and reads it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use seata_store::{ClaimLimit, FencingToken, Header, Owner, StoreError, Stored, UnixMillis};

use crate::active::Active;
use crate::index::Due;
use crate::read;
use crate::store::Inner;

/// To whom, from when and for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lease {
    pub(crate) owner: Owner,
    pub(crate) lasts: Duration,
    pub(crate) now: UnixMillis,
}

impl Lease {
    /// Gives it out. The token rises in memory alone: every append stores the token under which it was made, and each start
    /// has tokens of its own, whatever was appended under those of earlier ones: see `starts.rs`.
    pub(crate) fn give(self, header: &mut Header) {
        header.token = FencingToken(header.token.0 + 1);
        header.owner = Some(self.owner);
        header.lease_until = Some(self.now.plus(self.lasts));
    }
}

/// Claims one after the other: two at once would look at the same ones. What can't be read is told and left out, or it
/// would hold up all that is due behind it; it is claimed again when its lease would have passed.
pub(crate) fn claim(
    inner: &Inner,
    lease: Lease,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, StoreError> {
    let _one_at_a_time = inner
        .claiming
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let due = inner.index().due(lease.now, limit);
    let (mut claimed, mut unreadable) = (Vec::with_capacity(due.len()), None);
    for one in due {
        match claim_one(inner, &one, lease) {
            Ok(stored) => claimed.extend(stored),
            Err(error) => {
                tracing::error!(gid = %one.gid, %error, "a due transaction can't be read");
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if claimed.is_empty() => Err(error),
        Some(_) | None => Ok(claimed),
    }
}

/// None: it is no longer due, or no longer there.
fn claim_one(inner: &Inner, due: &Due, lease: Lease) -> Result<Option<Stored>, StoreError> {
    let Some(waits) = &due.waits else {
        let leased = inner.index().lease(&due.gid, lease);
        return leased.map_or(Ok(None), |active| reread(inner, &active));
    };
    let mut stored = match read::waiting(&inner.files, &due.gid, waits) {
        Ok(Some(stored)) => stored,
        // It moved, or a part of it is missing.
        Ok(None) => return still_missing(inner, due, lease),
        Err(error) => {
            put_off(inner, due, lease);
            return Err(error);
        }
    };
    lease.give(&mut stored.header);
    let woken = inner.index().wake(stored.header.clone(), waits);
    Ok(woken.map(|_| stored))
}

/// Reads one that was active when it was leased.
fn reread(inner: &Inner, active: &Arc<Active>) -> Result<Option<Stored>, StoreError> {
    if let Some(stored) = read::active(&inner.files, active)? {
        return Ok(Some(stored));
    }
    let header = &active.header;
    let stored = inner.load(&header.gid)?;
    Ok(stored
        .filter(|stored| stored.header.token == header.token && !stored.header.status.is_final()))
}

fn still_missing(inner: &Inner, due: &Due, lease: Lease) -> Result<Option<Stored>, StoreError> {
    match inner.load(&due.gid) {
        Ok(_) => Ok(None),
        Err(error) => {
            put_off(inner, due, lease);
            Err(error)
        }
    }
}

fn put_off(inner: &Inner, due: &Due, lease: Lease) {
    let later = lease.now.plus(lease.lasts);
    inner.index().put_off(&due.gid, later);
}
