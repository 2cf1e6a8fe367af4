//! Reading records, lists and what may be purged. Everything here may wait for the disk.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use seata_store::{
    Cursor, Gid, Header, ListQuery, PAGE_MAX, Page, SCAN_MAX, StoreError, StoreErrorKind, Stored,
};

use crate::index::{Index, Open};
use crate::layout;
use crate::open::Files;

/// What a look for a record found.
pub(crate) enum Found {
    Record(Box<Stored>),
    Nothing,
    /// A write moves it just now: memory does not know yet what is on disk.
    Moving,
}

pub(crate) fn failed(error: &fjall::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "reading the embedded store", error)
}

/// Reads the chunks of an open transaction. None: it has moved.
pub(crate) fn chunks(files: &Files, open: &Open) -> Result<Option<Vec<Bytes>>, StoreError> {
    let gid = &open.header.gid;
    let mut chunks = Vec::new();
    for revision in open.revisions() {
        let Some(value) = files
            .open
            .get(layout::open_key(gid, revision))
            .map_err(|e| failed(&e))?
        else {
            return Ok(None);
        };
        let (_, chunk) = layout::read_value(gid, &value)?;
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
    }
    Ok(Some(chunks))
}

fn ended(files: &Files, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    let Some(value) = files.ended.get(gid.as_str()).map_err(|e| failed(&e))? else {
        return Ok(None);
    };
    let (header, chunk) = layout::read_value(gid, &value)?;
    Ok(Some(Stored {
        header,
        chunks: vec![chunk],
    }))
}

/// Answers the chunks of a transaction that no write moves now.
pub(crate) fn settled_chunks(files: &Files, open: &Open) -> Result<Vec<Bytes>, StoreError> {
    chunks(files, open)?.ok_or_else(|| {
        let gid = &open.header.gid;
        layout::corrupt(&format!("a part of the history of {gid} is missing"))
    })
}

fn in_memory(index: &Mutex<Index>, gid: &Gid) -> Option<Open> {
    let index = index.lock().unwrap_or_else(PoisonError::into_inner);
    index.get(gid)
}

pub(crate) fn load(files: &Files, index: &Mutex<Index>, gid: &Gid) -> Result<Found, StoreError> {
    if let Some(open) = in_memory(index, gid) {
        return Ok(chunks(files, &open)?.map_or(Found::Moving, |chunks| {
            Found::Record(Box::new(Stored {
                header: open.header,
                chunks,
            }))
        }));
    }
    if let Some(stored) = ended(files, gid)? {
        return Ok(Found::Record(Box::new(stored)));
    }
    // Created between the two looks? Then the index knows it now.
    Ok(match in_memory(index, gid) {
        Some(_) => Found::Moving,
        None => Found::Nothing,
    })
}

/// Loads while nobody writes.
pub(crate) fn load_settled(
    files: &Files,
    index: &Mutex<Index>,
    gid: &Gid,
) -> Result<Option<Stored>, StoreError> {
    match in_memory(index, gid) {
        Some(open) => Ok(Some(Stored {
            chunks: settled_chunks(files, &open)?,
            header: open.header,
        })),
        None => ended(files, gid),
    }
}

fn header(files: &Files, index: &Mutex<Index>, gid: &Gid) -> Result<Option<Header>, StoreError> {
    let open = index
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(gid)
        .map(|open| open.header);
    match open {
        Some(header) => Ok(Some(header)),
        None => match files.ended.get(gid.as_str()).map_err(|e| failed(&e))? {
            Some(value) => Ok(Some(layout::split_value(gid, &value)?.0)),
            None => Ok(None),
        },
    }
}

pub(crate) fn list(
    files: &Files,
    index: &Mutex<Index>,
    query: &ListQuery,
) -> Result<Page<Header>, StoreError> {
    let limit = query.limit.clamp(1, PAGE_MAX);
    let (mut items, mut last) = (Vec::new(), None);
    for (scanned, key) in list_keys(files, query).enumerate() {
        if items.len() == limit || scanned == SCAN_MAX {
            return Ok(Page { items, next: last });
        }
        let (created_at, gid) = key?;
        last = Some(Cursor {
            created_at,
            gid: gid.clone(),
        });
        // A header that is gone was purged meanwhile.
        if let Some(header) = header(files, index, &gid)?.filter(|header| query.matches(header)) {
            items.push(header);
        }
        if query.created_from.is_some_and(|from| created_at < from) {
            break;
        }
    }
    Ok(Page { items, next: None })
}

/// Walks the list from behind the cursor, or from the newest that may match.
fn list_keys(
    files: &Files,
    query: &ListQuery,
) -> impl Iterator<Item = Result<(seata_store::UnixMillis, Gid), StoreError>> + use<> {
    use std::ops::Bound;
    let newest = query
        .created_before
        .map(|before| layout::newest_first(seata_store::UnixMillis(before.0 - 1)).to_vec());
    let behind = query
        .behind
        .as_ref()
        .map(|cursor| layout::created_key(cursor.created_at, &cursor.gid));
    let from = match (newest, behind) {
        (Some(newest), Some(behind)) if newest > behind => Bound::Included(newest),
        (_, Some(behind)) => Bound::Excluded(behind),
        (Some(newest), None) => Bound::Included(newest),
        (None, None) => Bound::Unbounded,
    };
    let items = files.created.range::<Vec<u8>, _>((from, Bound::Unbounded));
    items.map(|item| layout::read_created_key(&item.key().map_err(|e| failed(&e))?))
}

/// Finds ended transactions that may go, the oldest first, among a bounded number behind where the last purge ended.
/// Answers where the next one goes on, so that old open ones hold up none: at the end it begins anew.
pub(crate) fn purgeable(
    files: &Files,
    index: &Mutex<Index>,
    ended_before: seata_store::UnixMillis,
    limit: usize,
    from: &Option<Cursor>,
) -> Result<(Vec<Header>, Option<Cursor>), StoreError> {
    use std::ops::Bound;
    let newer_than = from.as_ref().map_or(Bound::Unbounded, |cursor| {
        Bound::Excluded(layout::created_key(cursor.created_at, &cursor.gid))
    });
    let keys = files
        .created
        .range::<Vec<u8>, _>((Bound::Unbounded, newer_than));
    let (mut found, mut last) = (Vec::new(), None);
    for (scanned, item) in keys.rev().enumerate() {
        if found.len() == limit || scanned == SCAN_MAX {
            return Ok((found, last));
        }
        let (created_at, gid) = layout::read_created_key(&item.key().map_err(|e| failed(&e))?)?;
        let header = header(files, index, &gid)?;
        found.extend(
            header.filter(|header| header.status.is_final() && header.updated_at < ended_before),
        );
        last = Some(Cursor { created_at, gid });
    }
    Ok((found, None))
}
