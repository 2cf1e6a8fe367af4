//! Reading records. Everything here may wait for the disk.

use bytes::Bytes;
use seata_store::{Gid, Header, Revision, StoreError, StoreErrorKind, Stored};

use crate::active::{Active, Span};
use crate::index::Known;
use crate::layout;
use crate::open::Files;
use crate::store::Inner;
use crate::waiting::Waits;

/// What a look for a record found.
pub(crate) enum Found {
    Record(Box<Stored>),
    Nothing,
    /// It is being moved: where memory said it is, it is no longer.
    Moving,
}

pub(crate) fn failed(error: &fjall::Error) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "reading the embedded store", error)
}

pub(crate) fn missing(gid: &Gid) -> StoreError {
    layout::corrupt(&format!("a part of the history of {gid} is missing"))
}

/// Reads chunks from the table of open ones, the newest row first, which names the one before. None: they have moved.
fn open(files: &Files, gid: &Gid, span: Span) -> Result<Option<Stored>, StoreError> {
    let (mut chunks, mut newest) = (Vec::new(), None);
    let mut last = span.last;
    loop {
        let value = files.open.get(layout::open_key(gid, last));
        let Some(value) = value.map_err(|e| failed(&e))? else {
            return Ok(None);
        };
        let (header, since, chunk) = layout::split_open_value(gid, &value)?;
        if since < span.first || since > last {
            return Err(missing(gid));
        }
        newest.get_or_insert(header);
        if !chunk.is_empty() {
            chunks.push(Bytes::copy_from_slice(chunk));
        }
        if since == span.first {
            break;
        }
        last = Revision(since.0 - 1);
    }
    chunks.reverse();
    Ok(newest.map(|header| Stored { header, chunks }))
}

/// Reads the chunks of an active transaction that its memory leaves to the table of open ones.
pub(crate) fn settled_chunks(files: &Files, active: &Active) -> Result<Vec<Bytes>, StoreError> {
    let gid = &active.header.gid;
    match active.history_settled() {
        Some(span) => Ok(open(files, gid, span)?.ok_or_else(|| missing(gid))?.chunks),
        None => Ok(Vec::new()),
    }
}

/// Reads an active transaction. None: it has moved.
pub(crate) fn active(files: &Files, active: &Active) -> Result<Option<Stored>, StoreError> {
    let mut chunks = match active.history_settled() {
        Some(span) => match open(files, &active.header.gid, span)? {
            Some(stored) => stored.chunks,
            None => return Ok(None),
        },
        None => Vec::new(),
    };
    let tail = active.tail().iter().filter(|chunk| !chunk.is_empty());
    chunks.extend(tail.cloned());
    Ok(Some(Stored {
        header: active.header.clone(),
        chunks,
    }))
}

/// Reads one that waits. None: it has moved.
pub(crate) fn waiting(
    files: &Files,
    gid: &Gid,
    waits: &Waits,
) -> Result<Option<Stored>, StoreError> {
    let stored = open(files, gid, waits.settled)?;
    Ok(stored.map(|mut stored| {
        stored.header.token = waits.token;
        stored
    }))
}

/// Reads the header of one that waits. None: it has moved.
pub(crate) fn newest(
    files: &Files,
    gid: &Gid,
    waits: &Waits,
) -> Result<Option<Header>, StoreError> {
    let key = layout::open_key(gid, waits.settled.last);
    let Some(value) = files.open.get(key).map_err(|e| failed(&e))? else {
        return Ok(None);
    };
    let (mut header, _) = layout::split_value(gid, &value)?;
    header.token = waits.token;
    Ok(Some(header))
}

/// Reads one that ended so long ago that memory has forgotten it.
pub(crate) fn ended(files: &Files, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    let Some(value) = files.ended.get(gid.as_str()).map_err(|e| failed(&e))? else {
        return Ok(None);
    };
    let (header, chunk) = layout::read_value(gid, &value)?;
    Ok(Some(Stored {
        header,
        chunks: vec![chunk],
    }))
}

/// As [`ended`], the header alone.
pub(crate) fn ended_header(files: &Files, gid: &Gid) -> Result<Option<Header>, StoreError> {
    match files.ended.get(gid.as_str()).map_err(|e| failed(&e))? {
        Some(value) => Ok(Some(layout::split_value(gid, &value)?.0)),
        None => Ok(None),
    }
}

pub(crate) fn load(inner: &Inner, gid: &Gid) -> Result<Found, StoreError> {
    let files = &inner.files;
    let found = match inner.known(gid) {
        Known::Active(known) => active(files, &known)?,
        Known::Waiting(waits) => waiting(files, gid, &waits)?,
        Known::Nothing => {
            if let Some(stored) = ended(files, gid)? {
                return Ok(Found::Record(Box::new(stored)));
            }
            // Created between the two looks? Then the index knows it now.
            return Ok(match inner.known(gid) {
                Known::Active(_) | Known::Waiting(_) => Found::Moving,
                Known::Nothing => Found::Nothing,
            });
        }
    };
    Ok(found.map_or(Found::Moving, |stored| Found::Record(Box::new(stored))))
}

/// As [`load`], where nothing is moved meanwhile.
pub(crate) fn load_settled(inner: &Inner, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    match load(inner, gid)? {
        Found::Record(stored) => Ok(Some(*stored)),
        Found::Nothing => Ok(None),
        Found::Moving => Err(missing(gid)),
    }
}

/// Reads a header. None: it was purged.
pub(crate) fn header(inner: &Inner, gid: &Gid) -> Result<Option<Header>, StoreError> {
    match inner.known(gid) {
        Known::Active(active) => return Ok(Some(active.header.clone())),
        Known::Nothing => return ended_header(&inner.files, gid),
        Known::Waiting(waits) => {
            if let Some(header) = newest(&inner.files, gid, &waits)? {
                return Ok(Some(header));
            }
        }
    }
    // It was woken between the two looks.
    Ok(inner.load(gid)?.map(|stored| stored.header))
}
