//! Writing: judge a batch against memory, write it with one sync, then take note.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fjall::{OwnedWriteBatch, PersistMode};
use seata_store::{
    Append, AppendOutcome, Chunk, Header, Refusal, StoreError, StoreErrorKind, UnixMillis,
};

use crate::index::{Index, Open};
use crate::layout;
use crate::open::Files;
use crate::read;

/// An append that will be written.
struct Accepted {
    at: usize,
    append: Append,
    header: Header,
    bytes: usize,
    before: Option<Open>,
}

type Answer = Result<AppendOutcome, StoreError>;

/// Applies a batch. The caller lets one in at a time. `Err`: writing failed, which is fatal.
pub(crate) fn append(
    files: &Files,
    index: &Mutex<Index>,
    batch: Vec<Append>,
    now: UnixMillis,
    bytes_max: usize,
) -> Result<Vec<Answer>, fjall::Error> {
    let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
    let mut accepted: Vec<Accepted> = Vec::with_capacity(batch.len());
    let mut seen = HashSet::with_capacity(batch.len());
    for (at, append) in batch.into_iter().enumerate() {
        let answer = if seen.insert(append.gid.clone()) {
            judge(files, index, at, append, now, bytes_max, &mut accepted)
        } else {
            Err(StoreError::new(
                StoreErrorKind::Invalid,
                "appending",
                "a batch holds two appends of one gid",
            ))
        };
        answers.push(answer);
    }
    if !accepted.is_empty() {
        write(files, &accepted, &mut answers)?;
        let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
        for Accepted {
            at,
            append,
            header,
            bytes,
            ..
        } in accepted
        {
            if answers[at].is_ok() {
                index.end_write(&append, header, bytes);
            } else {
                index.cancel_write(&append.gid);
            }
        }
    }
    Ok(answers)
}

fn judge(
    files: &Files,
    index: &Mutex<Index>,
    at: usize,
    append: Append,
    now: UnixMillis,
    bytes_max: usize,
    accepted: &mut Vec<Accepted>,
) -> Answer {
    let mut locked = index.lock().unwrap_or_else(PoisonError::into_inner);
    let before = locked.get(&append.gid);
    let ended = match &before {
        Some(_) => None,
        None => {
            drop(locked);
            let ended = read::load_settled(files, index, &append.gid)?;
            locked = index.lock().unwrap_or_else(PoisonError::into_inner);
            ended
        }
    };
    let present = before
        .as_ref()
        .map(|open| &open.header)
        .or(ended.as_ref().map(|stored| &stored.header));
    let header = match append.judge(present, now) {
        Ok(header) => header,
        Err(Refusal::Stale) => return Ok(AppendOutcome::Stale),
        Err(Refusal::Fenced) => return Ok(AppendOutcome::Fenced),
        Err(Refusal::Exists) => {
            drop(locked);
            let stored = match ended {
                Some(stored) => Some(stored),
                None => read::load_settled(files, index, &append.gid)?,
            };
            return Ok(stored.map_or(AppendOutcome::Stale, |stored| {
                AppendOutcome::Exists(Box::new(stored))
            }));
        }
    };
    if ended.is_some() {
        return Err(StoreError::new(
            StoreErrorKind::Invalid,
            "appending",
            "the transaction has ended: it never moves again",
        ));
    }
    let kept = match append.chunk {
        Chunk::Add(_) => before.as_ref().map_or(0, |open| open.bytes),
        Chunk::Replace(_) => 0,
    };
    let bytes = kept + append.chunk.bytes().len();
    if bytes > bytes_max {
        let why = format!("the history would have more than {bytes_max} bytes");
        return Err(StoreError::new(StoreErrorKind::Invalid, "appending", why));
    }
    locked.begin_write(&append.gid);
    let revision = header.revision;
    accepted.push(Accepted {
        at,
        append,
        header,
        bytes,
        before,
    });
    Ok(AppendOutcome::Applied(revision))
}

/// Writes all in one batch with one sync.
fn write(files: &Files, accepted: &[Accepted], answers: &mut [Answer]) -> Result<(), fjall::Error> {
    let mut batch = synced(files);
    for one in accepted {
        let gid = &one.header.gid;
        if one.before.is_none() {
            batch.insert(
                &files.created,
                layout::created_key(one.header.created_at, gid),
                [],
            );
        }
        if one.header.status.is_final() {
            match history(files, one) {
                Ok(chunks) => batch.insert(
                    &files.ended,
                    gid.as_str(),
                    layout::value(&one.header, &chunks),
                ),
                Err(error) => {
                    answers[one.at] = Err(error);
                    continue;
                }
            }
            remove_chunks(files, &mut batch, one);
        } else {
            if matches!(one.append.chunk, Chunk::Replace(_)) {
                remove_chunks(files, &mut batch, one);
            }
            let value = layout::value(&one.header, std::slice::from_ref(one.append.chunk.bytes()));
            batch.insert(
                &files.open,
                layout::open_key(gid, one.header.revision),
                value,
            );
        }
    }
    batch.commit()
}

/// Removes ended transactions. It is synced like any write: only the last batch of a journal may be torn by a crash.
pub(crate) fn remove(files: &Files, ended: &[Header]) -> Result<(), fjall::Error> {
    let mut batch = synced(files);
    for header in ended {
        let key = layout::created_key(header.created_at, &header.gid);
        batch.remove(&files.ended, header.gid.as_str());
        batch.remove(&files.created, key);
    }
    batch.commit()
}

fn synced(files: &Files) -> OwnedWriteBatch {
    let batch = files.database.batch();
    batch.durability(Some(PersistMode::SyncData))
}

/// Answers the whole history of a transaction that ends with this append.
fn history(files: &Files, one: &Accepted) -> Result<Vec<Bytes>, StoreError> {
    let mut chunks = match (&one.append.chunk, &one.before) {
        (Chunk::Add(_), Some(open)) => read::settled_chunks(files, open)?,
        (Chunk::Add(_), None) | (Chunk::Replace(_), _) => Vec::new(),
    };
    chunks.push(one.append.chunk.bytes().clone());
    Ok(chunks)
}

fn remove_chunks(files: &Files, batch: &mut OwnedWriteBatch, one: &Accepted) {
    for revision in one.before.iter().flat_map(Open::revisions) {
        batch.remove(&files.open, layout::open_key(&one.header.gid, revision));
    }
}
