//! Reading records and lists. Everything here may wait for the disk.
//!
//! A batch is in the tree before it is durable, and nobody may see it before it is. So memory says what is open and what
//! is just being written, and a look at the disk counts only if memory says the same before and after it.

use std::ops::Bound;

use bytes::Bytes;
use seata_store::{
    Cursor, Gid, Header, ListQuery, PAGE_MAX, Page, Revision, SCAN_MAX, StoreError, Stored,
    UnixMillis,
};
use sled::Db;

use crate::error::corrupt;
use crate::index::Look;
use crate::layout::{self, Head, Key};
use crate::store::Inner;

/// What a look for a record found.
pub(crate) enum Found {
    Record(Box<Stored>),
    Nothing,
    /// A write moves it just now.
    Moving,
}

pub(crate) fn load(inner: &Inner, gid: &Gid) -> Result<Found, StoreError> {
    let looked = inner.index().look(gid);
    match looked {
        Look::Open(open) => {
            let chunks = chunks(&inner.disk.db, &open.header, open.first)?;
            Ok(chunks.map_or(Found::Moving, |chunks| {
                Found::Record(Box::new(Stored {
                    header: open.header,
                    chunks,
                }))
            }))
        }
        Look::BeingWritten => Ok(Found::Moving),
        Look::Unknown => {
            let found = on_disk(&inner.disk.db, gid)?;
            let looked = inner.index().look(gid);
            Ok(match looked {
                Look::Open(_) | Look::BeingWritten => Found::Moving,
                Look::Unknown => found,
            })
        }
    }
}

/// Loads while nobody writes.
pub(crate) fn load_settled(inner: &Inner, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    match load(inner, gid)? {
        Found::Record(stored) => Ok(Some(*stored)),
        Found::Nothing => Ok(None),
        Found::Moving => Err(missing(gid)),
    }
}

fn on_disk(db: &Db, gid: &Gid) -> Result<Found, StoreError> {
    let Some(Head { header, first, .. }) = newest_head(db, gid)? else {
        return Ok(Found::Nothing);
    };
    let chunks = chunks(db, &header, first)?;
    Ok(chunks.map_or(Found::Moving, |chunks| {
        Found::Record(Box::new(Stored { header, chunks }))
    }))
}

/// Answers the newest head of a record on disk, durable or not.
pub(crate) fn newest_head(db: &Db, gid: &Gid) -> Result<Option<Head>, StoreError> {
    let Some(newest) = db.scan_prefix(layout::record_prefix(gid)).next_back() else {
        return Ok(None);
    };
    let (key, value) = newest.map_err(corrupt)?;
    let Key::Piece(_, revision, piece) = layout::read_key(&key)? else {
        return Err(missing(gid));
    };
    let value = match piece {
        0 => Some(value),
        1..=u32::MAX => db
            .get(layout::piece_key(gid, revision, 0))
            .map_err(corrupt)?,
    };
    // A piece without its head: it is just being written, or removed.
    value
        .map(|value| layout::read_head(gid, &value).map(|(head, _)| head))
        .transpose()
}

fn missing(gid: &Gid) -> StoreError {
    corrupt(format!("a part of the history of {gid} is missing"))
}

/// Answers the chunks of a record that no write moves now.
pub(crate) fn settled_chunks(
    db: &Db,
    header: &Header,
    first: Revision,
) -> Result<Vec<Bytes>, StoreError> {
    chunks(db, header, first)?.ok_or_else(|| missing(&header.gid))
}

/// Reads the chunks from one revision to that of the header. None: one of them is not there.
fn chunks(db: &Db, header: &Header, first: Revision) -> Result<Option<Vec<Bytes>>, StoreError> {
    let gid = &header.gid;
    let from = layout::piece_key(gid, first, 0);
    let to = layout::piece_key(gid, header.revision, u32::MAX);
    let mut pieces = db.range(from..=to);
    let mut chunks = Vec::new();
    for number in first.0..=header.revision.0 {
        let mut chunk = Vec::new();
        let (mut piece, mut count) = (0, 1);
        while piece < count {
            let Some(found) = pieces.next() else {
                return Ok(None);
            };
            let (key, value) = found.map_err(corrupt)?;
            if key != layout::piece_key(gid, Revision(number), piece) {
                return Ok(None);
            }
            if piece == 0 {
                let (head, bytes) = layout::read_head(gid, &value)?;
                count = head.pieces;
                chunk.extend_from_slice(bytes);
            } else {
                chunk.extend_from_slice(&value);
            }
            piece += 1;
        }
        if !chunk.is_empty() {
            chunks.push(Bytes::from(chunk));
        }
    }
    Ok(Some(chunks))
}

/// Answers a header as far as it is durable.
pub(crate) fn header(inner: &Inner, gid: &Gid) -> Result<Option<Header>, StoreError> {
    let looked = inner.index().look(gid);
    match looked {
        Look::Open(open) => return Ok(Some(open.header)),
        Look::BeingWritten => return Ok(None),
        Look::Unknown => {}
    }
    let head = newest_head(&inner.disk.db, gid)?;
    let looked = inner.index().look(gid);
    Ok(match looked {
        Look::Open(open) => Some(open.header),
        Look::BeingWritten => None,
        Look::Unknown => head.map(|head| head.header),
    })
}

pub(crate) fn list(inner: &Inner, query: &ListQuery) -> Result<Page<Header>, StoreError> {
    let limit = query.limit.clamp(1, PAGE_MAX);
    let (mut items, mut last) = (Vec::new(), None);
    for (scanned, key) in listed(&inner.disk.db, query).enumerate() {
        if items.len() == limit || scanned == SCAN_MAX {
            return Ok(Page { items, next: last });
        }
        let (created_at, gid) = key?;
        if query.created_from.is_some_and(|from| created_at < from) {
            break;
        }
        // A header that is gone was purged meanwhile, or comes later.
        let header = header(inner, &gid)?;
        items.extend(header.filter(|header| query.matches(header)));
        last = Some(Cursor { created_at, gid });
    }
    Ok(Page { items, next: None })
}

/// Walks the list from behind the cursor, or from the newest that may match.
fn listed(
    db: &Db,
    query: &ListQuery,
) -> impl Iterator<Item = Result<(UnixMillis, Gid), StoreError>> + use<> {
    let before = query
        .created_before
        .map(|before| match before.0.checked_sub(1) {
            Some(newest) => Bound::Included(layout::newest_first(UnixMillis(newest))),
            None => Bound::Included(b"d".to_vec()),
        });
    let behind = query
        .behind
        .as_ref()
        .map(|cursor| Bound::Excluded(layout::listed_key(cursor.created_at, &cursor.gid)));
    let from = match (before, behind) {
        (Some(Bound::Included(before)), Some(Bound::Excluded(behind))) if before > behind => {
            Bound::Included(before)
        }
        (_, Some(behind)) => behind,
        (Some(before), None) => before,
        (None, None) => Bound::Included(b"c".to_vec()),
    };
    db.range((from, Bound::Excluded(b"d".to_vec())))
        .map(|item| {
            let (key, _) = item.map_err(corrupt)?;
            read_listed(&key)
        })
}

pub(crate) fn read_listed(key: &[u8]) -> Result<(UnixMillis, Gid), StoreError> {
    match layout::read_key(key)? {
        Key::Listed(created_at, gid) => Ok((created_at, gid)),
        Key::Piece(..) | Key::Tally => Err(corrupt("a key of the list is another's")),
    }
}
