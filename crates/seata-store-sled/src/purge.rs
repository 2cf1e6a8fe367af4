//! Removes what ended long ago.

use std::ops::Bound;

use seata_store::{Cursor, Header, SCAN_MAX, StoreError, UnixMillis};

use crate::append::STEP_BYTES;
use crate::error::{WriteError, corrupt};
use crate::layout;
use crate::read;
use crate::store::Inner;
use crate::sync::Changes;
use crate::tally::Tally;

/// Finds ended transactions that may go, the oldest first, among a bounded number behind where the last purge ended.
/// Answers where the next one goes on, so that old open ones hold up none: behind the last one that is old enough to have
/// ended it begins anew.
pub(crate) fn find(
    inner: &Inner,
    ended_before: UnixMillis,
    limit: usize,
    from: Option<&Cursor>,
) -> Result<(Vec<Header>, Option<Cursor>), StoreError> {
    let end = match from {
        Some(cursor) => layout::listed_key(cursor.created_at, &cursor.gid),
        None => b"d".to_vec(),
    };
    let newer = (Bound::Included(b"c".to_vec()), Bound::Excluded(end));
    let (mut found, mut last) = (Vec::new(), None);
    for (scanned, item) in inner.disk.db.range(newer).rev().enumerate() {
        if found.len() == limit || scanned == SCAN_MAX {
            return Ok((found, last));
        }
        let (key, _) = item.map_err(corrupt)?;
        let (created_at, gid) = read::read_listed(&key)?;
        if created_at >= ended_before {
            break;
        }
        let header = read::header(inner, &gid)?;
        found.extend(
            header.filter(|header| header.status.is_final() && header.updated_at < ended_before),
        );
        last = Some(Cursor { created_at, gid });
    }
    Ok((found, None))
}

/// Removes records, some at a time, each whole.
pub(crate) fn remove(inner: &Inner, tally: &mut Tally, old: &[Header]) -> Result<(), WriteError> {
    let mut changes = Changes::after(*tally);
    for header in old {
        for item in inner
            .disk
            .db
            .scan_prefix(layout::record_prefix(&header.gid))
        {
            let (key, value) = item?;
            // What is removed is rewritten with its page.
            changes.bytes += value.len();
            changes.remove(key.to_vec());
        }
        changes.remove(layout::listed_key(header.created_at, &header.gid));
        if changes.bytes >= STEP_BYTES {
            *tally = inner.disk.write(changes)?;
            changes = Changes::after(*tally);
        }
    }
    if changes.bytes > 0 {
        *tally = inner.disk.write(changes)?;
    }
    Ok(())
}
