//! Rebuilds at open what memory knows: first what waits, then what the log says on top. What has ended and was moved is not
//! looked at.

use bytes::Bytes;
use fjall::Keyspace;
use seata_store::{Chunk, Gid, Header, LeaseChange, Revision, StoreError, UnixMillis};

use crate::active::{Span, wake_at};
use crate::index::{Index, Known};
use crate::open::Files;
use crate::read::{self, failed};
use crate::starts::Start;
use crate::waiting::Waits;
use crate::{layout, log};

/// What an open folder was found to hold.
pub(crate) struct Rebuilt {
    pub(crate) index: Index,
    /// The time of the last append that memory knows of.
    pub(crate) latest: UnixMillis,
    /// The first batch of the log that is there, whether or not it counts.
    pub(crate) log_first: u64,
    /// The number of the next batch.
    pub(crate) log_next: u64,
}

/// Every lease is void, and every token of what is open is this start's own.
pub(crate) fn rebuild(files: &Files, start: Start) -> Result<Rebuilt, StoreError> {
    let mut rebuilt = Rebuilt {
        index: Index::default(),
        latest: UnixMillis(0),
        log_first: 0,
        log_next: 0,
    };
    read_open(&files.open, start, &mut rebuilt)?;
    read_log(files, start, &mut rebuilt)?;
    Ok(rebuilt)
}

/// Reads the table of open ones, a transaction at a time. The newest revision's header is the record's.
fn read_open(open: &Keyspace, start: Start, rebuilt: &mut Rebuilt) -> Result<(), StoreError> {
    let mut last: Option<(Header, Waits)> = None;
    for item in open.iter() {
        let (key, value) = item.into_inner().map_err(|e| failed(&e))?;
        let (gid, revision) = layout::read_open_key(&key)?;
        let (header, since, chunk) = layout::split_open_value(&gid, &value)?;
        let before = last.take_if(|(before, _)| before.gid == gid);
        let follows = before
            .as_ref()
            .is_none_or(|(before, _)| before.revision.next() == since);
        if header.revision != revision || since > revision || !follows {
            return Err(gap(&gid, since));
        }
        let (first, bytes) =
            before.map_or((since, 0), |(_, waits)| (waits.settled.first, waits.bytes));
        let waits = Waits {
            settled: Span {
                first,
                last: revision,
            },
            token: start.token(header.token),
            wake_at: wake_at(&header),
            bytes: bytes + chunk.len(),
        };
        if let Some(other) = last.replace((header, waits)) {
            rebuilt.wait(other);
        }
    }
    last.into_iter().for_each(|last| rebuilt.wait(last));
    Ok(())
}

fn gap(gid: &Gid, revision: Revision) -> StoreError {
    layout::corrupt(&format!(
        "a part of the history of {gid} is missing before revision {}",
        revision.0
    ))
}

impl Rebuilt {
    fn wait(&mut self, (header, waits): (Header, Waits)) {
        self.latest = self.latest.max(header.updated_at);
        self.index.wait(&header.gid, &waits);
    }
}

/// Reads the batches of the log that count. They are numbered without a gap.
fn read_log(files: &Files, start: Start, rebuilt: &mut Rebuilt) -> Result<(), StoreError> {
    let from = match files.log.get(layout::FROM).map_err(|e| failed(&e))? {
        Some(value) => layout::read_number(&value, "the beginning of the log")?,
        None => 0,
    };
    (rebuilt.log_first, rebuilt.log_next) = (from, from);
    for item in files.log.range(..layout::FROM) {
        let (key, value) = item.into_inner().map_err(|e| failed(&e))?;
        let number = log::read_key(&key)?;
        if number < from {
            // It was moved, and a crash came before it was removed.
            rebuilt.log_first = rebuilt.log_first.min(number);
            continue;
        }
        if number != rebuilt.log_next {
            let why = format!("batch {} of the log is missing", rebuilt.log_next);
            return Err(layout::corrupt(&why));
        }
        for append in log::read(&value) {
            let (header, chunk) = append?;
            read_append(files, start, rebuilt, header, &chunk)?;
        }
        rebuilt.log_next += 1;
    }
    Ok(())
}

fn read_append(
    files: &Files,
    start: Start,
    rebuilt: &mut Rebuilt,
    mut header: Header,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    if !header.status.is_final() {
        header.token = start.token(header.token);
    }
    rebuilt.latest = rebuilt.latest.max(header.updated_at);
    let before = before(files, &mut rebuilt.index, &header, chunk)?;
    let index = &mut rebuilt.index;
    index.begin_append(&header.gid);
    index.end_append(LeaseChange::Release, chunk, header, before);
    Ok(())
}

/// Checks that an append follows what is there. Answers what the table of open ones has of the history, if this ends it.
fn before(
    files: &Files,
    index: &mut Index,
    next: &Header,
    chunk: &Chunk,
) -> Result<Vec<Bytes>, StoreError> {
    let gid = &next.gid;
    let active = match index.get(gid) {
        Known::Active(active) => active,
        Known::Nothing if next.revision == Revision(1) => return Ok(Vec::new()),
        Known::Nothing => return Err(gap(gid, next.revision)),
        Known::Waiting(waits) => {
            let header = read::newest(files, gid, &waits)?;
            header
                .and_then(|header| index.wake(header, &waits))
                .ok_or_else(|| read::missing(gid))?
        }
    };
    let present = &active.header;
    if present.status.is_final() || present.revision.next() != next.revision {
        return Err(gap(gid, next.revision));
    }
    match chunk {
        Chunk::Add(_) if next.status.is_final() => read::settled_chunks(files, &active),
        Chunk::Add(_) | Chunk::Replace(_) => Ok(Vec::new()),
    }
}
