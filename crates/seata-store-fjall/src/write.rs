//! Writing: judge a batch against memory, write it to the log with one sync, then take note.

use std::sync::Arc;

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode};
use seata_store::{
    Append, AppendOutcome, Chunk, Gid, Header, Refusal, StoreError, StoreErrorKind, Stored,
    UnixMillis,
};

use crate::active::Active;
use crate::index::Known;
use crate::open::Files;
use crate::store::Inner;
use crate::{layout, log, read};

/// An append that will be written.
struct Accepted {
    append: Append,
    header: Header,
    /// What the table of open ones has of the history, if this ends it.
    before: Vec<Bytes>,
}

type Answer = Result<AppendOutcome, StoreError>;

/// Applies a batch, the log's next one. The caller lets one in at a time. `Err`: writing failed, which is fatal.
pub(crate) fn append(
    inner: &Inner,
    batch: Vec<Append>,
    number: &mut u64,
) -> Result<Vec<Answer>, fjall::Error> {
    let now = inner.now();
    let mut accepted: Vec<Accepted> = Vec::with_capacity(batch.len());
    let answers = batch
        .into_iter()
        .map(|append| judge(inner, append, now, &mut accepted))
        .collect();
    if !accepted.is_empty() {
        write(&inner.files, &accepted, *number)?;
        *number += 1;
        let mut index = inner.index();
        for one in accepted {
            let Append { lease, chunk, .. } = one.append;
            index.end_append(lease, &chunk, one.header, one.before);
        }
    }
    Ok(answers)
}

fn invalid(why: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, "appending", why.into())
}

/// What is judged against.
enum Present {
    Nothing,
    /// Memory knows of it.
    Known(Arc<Active>),
    /// It ended so long ago that memory has forgotten it.
    Ended(Box<Stored>),
}

/// What a look at what is there found.
enum Verdict {
    /// It may be written: the next header, and what the table of open ones has of the history, if this ends it.
    Accepted(Header, Vec<Bytes>),
    Refused(Refusal),
}

/// Judges an append, and marks that it is being written. Claims and renewals go on meanwhile: what one of them changes
/// between the look and the mark is looked at again, or the append would be written on a lease that somebody else was given.
fn judge(inner: &Inner, append: Append, now: UnixMillis, accepted: &mut Vec<Accepted>) -> Answer {
    if inner.index().is_appending(&append.gid) {
        return Err(invalid("a batch holds two appends of one gid"));
    }
    loop {
        let present = present(inner, &append)?;
        let (header, before) = match look(inner, &append, now, &present)? {
            Verdict::Accepted(header, before) => (header, before),
            Verdict::Refused(Refusal::Stale) => return Ok(AppendOutcome::Stale),
            Verdict::Refused(Refusal::Fenced) => return Ok(AppendOutcome::Fenced),
            Verdict::Refused(Refusal::Exists) => return exists(inner, present),
        };
        if begin(inner, &present, &append.gid) == Begun::Changed {
            continue;
        }
        let revision = header.revision;
        accepted.push(Accepted {
            append,
            header,
            before,
        });
        return Ok(AppendOutcome::Applied(revision));
    }
}

/// Judges an append against what is there, and reads what it needs.
fn look(
    inner: &Inner,
    append: &Append,
    now: UnixMillis,
    present: &Present,
) -> Result<Verdict, StoreError> {
    let header = match present {
        Present::Nothing => None,
        Present::Known(active) => Some(&active.header),
        Present::Ended(stored) => Some(&stored.header),
    };
    let next = match append.judge(header, now) {
        Ok(next) => next,
        Err(refusal) => return Ok(Verdict::Refused(refusal)),
    };
    if header.is_some_and(|header| header.status.is_final()) {
        return Err(invalid("the transaction has ended: it never moves again"));
    }
    let (mut bytes, mut before) = (append.chunk.bytes().len(), Vec::new());
    if let (Present::Known(active), Chunk::Add(_)) = (present, &append.chunk) {
        bytes += active.bytes();
        if next.status.is_final() {
            before = read::settled_chunks(&inner.files, active)?;
        }
    }
    let bytes_max = inner.limits.record_bytes_max;
    if bytes > bytes_max {
        return Err(invalid(format!(
            "the history would have more than {bytes_max} bytes"
        )));
    }
    Ok(Verdict::Accepted(next, before))
}

/// Whether an append that was judged may be written.
#[derive(PartialEq, Eq)]
enum Begun {
    Now,
    /// Its transaction has changed since.
    Changed,
}

fn begin(inner: &Inner, judged: &Present, gid: &Gid) -> Begun {
    let mut index = inner.index();
    if let Present::Known(active) = judged
        && !index.is_still(active)
    {
        return Begun::Changed;
    }
    index.begin_append(gid);
    Begun::Now
}

/// Looks for what is there. What waits becomes active.
fn present(inner: &Inner, append: &Append) -> Result<Present, StoreError> {
    let waits = match inner.known(&append.gid) {
        Known::Active(active) => return Ok(Present::Known(active)),
        Known::Waiting(waits) => waits,
        Known::Nothing => {
            let ended = read::ended(&inner.files, &append.gid)?;
            return Ok(ended.map_or(Present::Nothing, |stored| Present::Ended(Box::new(stored))));
        }
    };
    let header = read::newest(&inner.files, &append.gid, &waits)?
        .ok_or_else(|| read::missing(&append.gid))?;
    let mut index = inner.index();
    if let Some(active) = index.wake(header, &waits) {
        return Ok(Present::Known(active));
    }
    // A claim was faster.
    match index.get(&append.gid) {
        Known::Active(active) => Ok(Present::Known(active)),
        Known::Waiting(_) | Known::Nothing => Err(read::missing(&append.gid)),
    }
}

fn exists(inner: &Inner, present: Present) -> Answer {
    let stored = match present {
        Present::Nothing => return Ok(AppendOutcome::Stale),
        Present::Known(active) => {
            read::active(&inner.files, &active)?.ok_or_else(|| read::missing(&active.header.gid))?
        }
        Present::Ended(stored) => *stored,
    };
    Ok(AppendOutcome::Exists(Box::new(stored)))
}

/// Writes all as one value with one sync.
fn write(files: &Files, accepted: &[Accepted], number: u64) -> Result<(), fjall::Error> {
    let lengths = accepted
        .iter()
        .map(|one| log::length(&one.header, &one.append.chunk));
    let mut value = Vec::with_capacity(lengths.sum());
    for one in accepted {
        log::write(&mut value, &one.header, &one.append.chunk);
    }
    let mut batch = synced(files);
    batch.insert(&files.log, log::key(number), value);
    batch.commit()
}

/// Removes ended transactions.
pub(crate) fn remove(files: &Files, ended: &[Header]) -> Result<(), fjall::Error> {
    let mut batch = synced(files);
    for header in ended {
        let key = layout::created_key(header.created_at, &header.gid);
        batch.remove(&files.ended, header.gid.as_str());
        batch.remove(&files.created, key);
    }
    batch.commit()
}

/// Every batch is synced, even one whose loss would lose nothing: only the last batch of a journal may be torn by a crash.
pub(crate) fn synced(files: &Files) -> OwnedWriteBatch {
    files
        .database
        .batch()
        .durability(Some(PersistMode::SyncData))
}
