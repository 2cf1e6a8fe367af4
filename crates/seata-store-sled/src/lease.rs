//! Claims and renewals: both are of memory. Leases are void after a restart, so nothing of them is written.

use std::time::Duration;

use seata_store::{FencingToken, Gid, Held, StoreError, Stored};

use crate::index::Open;
use crate::read;
use crate::store::Inner;

/// Reads what was claimed. What can't be read is told and left out, or it would hold up all that is due behind it; it is
/// claimed again when its lease has passed.
pub(crate) fn claimed(inner: &Inner, claimed: Vec<Open>) -> Result<Vec<Stored>, StoreError> {
    let (mut stored, mut unreadable) = (Vec::with_capacity(claimed.len()), None);
    for open in claimed {
        match read::settled_chunks(&inner.disk.db, &open.header, open.first) {
            Ok(chunks) => stored.push(Stored {
                header: open.header,
                chunks,
            }),
            Err(error) => {
                tracing::error!(gid = %open.header.gid, %error, "a due transaction can't be read");
                unreadable = Some(error);
            }
        }
    }
    match unreadable {
        Some(error) if stored.is_empty() => Err(error),
        Some(_) | None => Ok(stored),
    }
}

pub(crate) fn renew(inner: &Inner, held: &[(Gid, FencingToken)], lasts: Duration) -> Vec<Held> {
    let now = inner.now();
    let mut index = inner.index();
    held.iter()
        .map(|(gid, token)| index.renew(gid, *token, lasts, now))
        .collect()
}
