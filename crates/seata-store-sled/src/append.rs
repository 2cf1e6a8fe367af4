//! Writing: judge a batch against memory, write it with one sync, then take note.

use std::collections::HashSet;

use seata_store::{
    Append, AppendOutcome, Chunk, Header, Refusal, Revision, StoreError, UnixMillis,
};

use crate::error::{WriteError, corrupt, invalid};
use crate::index::{Look, Open};
use crate::layout::{self, Head};
use crate::read;
use crate::store::Inner;
use crate::sync::Changes;
use crate::tally::Tally;

/// A chunk larger than this is written ahead of its head, so much at a time: each write is far smaller than a segment.
pub(crate) const STEP_BYTES: usize = 1 << 20;

type Answer = Result<AppendOutcome, StoreError>;

/// An append that will be written.
struct Accepted {
    append: Append,
    head: Head,
    bytes: usize,
    /// What a swap of the history takes away: up to this revision.
    swaps: Option<(Revision, Revision)>,
}

/// Applies a batch. The caller lets one in at a time. `Err`: writing failed, which is fatal.
pub(crate) fn append(
    inner: &Inner,
    tally: &mut Tally,
    batch: Vec<Append>,
) -> Result<Vec<Answer>, WriteError> {
    let now = inner.now();
    let mut accepted = Vec::with_capacity(batch.len());
    let mut seen = HashSet::with_capacity(batch.len());
    let answers = batch
        .into_iter()
        .map(|append| {
            if seen.insert(append.gid.clone()) {
                judge(inner, append, now, &mut accepted)
            } else {
                Err(invalid("a batch holds two appends of one gid"))
            }
        })
        .collect();
    if !accepted.is_empty() {
        write(inner, tally, &accepted)?;
        let mut index = inner.index();
        for Accepted {
            append,
            head,
            bytes,
            ..
        } in accepted
        {
            let open = Open {
                header: head.header,
                first: head.first,
                bytes,
            };
            index.end_write(append.lease, open);
        }
    }
    Ok(answers)
}

/// Judges one append, and keeps any claim from coming between that and its write.
fn judge(inner: &Inner, append: Append, now: UnixMillis, accepted: &mut Vec<Accepted>) -> Answer {
    // What has ended can't open again, and nobody else writes.
    let ended = ended(inner, &append)?;
    let mut index = inner.index();
    let open = match index.look(&append.gid) {
        Look::Open(open) => Some(open),
        Look::BeingWritten | Look::Unknown => None,
    };
    let present = open.as_ref().map(|open| &open.header).or(ended.as_ref());
    let header = match append.judge(present, now) {
        Ok(header) => header,
        Err(Refusal::Stale) => return Ok(AppendOutcome::Stale),
        Err(Refusal::Fenced) => return Ok(AppendOutcome::Fenced),
        Err(Refusal::Exists) => {
            drop(index);
            let stored = read::load_settled(inner, &append.gid)?;
            return Ok(stored.map_or(AppendOutcome::Stale, |stored| {
                AppendOutcome::Exists(Box::new(stored))
            }));
        }
    };
    if ended.is_some() {
        return Err(invalid("the transaction has ended: it never moves again"));
    }
    let length = append.chunk.bytes().len();
    let (bytes, first, swaps) = match (&append.chunk, &open) {
        (Chunk::Add(_), Some(open)) => (open.bytes + length, open.first, None),
        (Chunk::Replace(_), Some(open)) => {
            let swaps = (open.first, open.header.revision);
            (length, header.revision, Some(swaps))
        }
        (Chunk::Add(_) | Chunk::Replace(_), None) => (length, header.revision, None),
    };
    let bytes_max = inner.limits.record_bytes_max;
    if bytes > bytes_max {
        return Err(invalid(format!(
            "the history would have more than {bytes_max} bytes"
        )));
    }
    index.begin_write(&append.gid);
    let revision = header.revision;
    accepted.push(Accepted {
        head: Head {
            header,
            first,
            pieces: layout::pieces_of(length),
        },
        append,
        bytes,
        swaps,
    });
    Ok(AppendOutcome::Applied(revision))
}

/// Answers the header of a record that has ended.
fn ended(inner: &Inner, append: &Append) -> Result<Option<Header>, StoreError> {
    match inner.index().look(&append.gid) {
        Look::Open(_) => return Ok(None),
        Look::BeingWritten | Look::Unknown => {}
    }
    let head = read::newest_head(&inner.disk.db, &append.gid)?;
    match head.map(|head| head.header) {
        Some(header) if !header.status.is_final() => Err(corrupt(format!(
            "{} is open on disk and not in memory",
            header.gid
        ))),
        ended => Ok(ended),
    }
}

/// Writes all in one batch with one sync. What is large is written ahead, without its head: until that is there nobody
/// sees it, and a start that finds it without removes it.
fn write(inner: &Inner, tally: &mut Tally, accepted: &[Accepted]) -> Result<(), WriteError> {
    for one in accepted {
        write_ahead(inner, tally, one)?;
    }
    let mut changes = Changes::after(*tally);
    for one in accepted {
        let header = &one.head.header;
        if header.revision == Revision(1) {
            changes.insert(
                layout::listed_key(header.created_at, &header.gid),
                Vec::new(),
            );
        }
        for (piece, key, value) in layout::pieces(&one.head, one.append.chunk.bytes()) {
            if piece == 0 || !is_large(one) {
                changes.insert(key, value);
            }
        }
        if let Some((first, last)) = one.swaps {
            let from = layout::piece_key(&header.gid, first, 0);
            let to = layout::piece_key(&header.gid, last, u32::MAX);
            for item in inner.disk.db.range(from..=to) {
                changes.remove(item?.0.to_vec());
            }
        }
    }
    *tally = inner.disk.write(changes)?;
    Ok(())
}

fn is_large(one: &Accepted) -> bool {
    one.append.chunk.bytes().len() > STEP_BYTES
}

fn write_ahead(inner: &Inner, tally: &mut Tally, one: &Accepted) -> Result<(), WriteError> {
    if !is_large(one) {
        return Ok(());
    }
    let mut changes = Changes::after(*tally);
    for (_, key, value) in layout::pieces(&one.head, one.append.chunk.bytes()).skip(1) {
        changes.insert(key, value);
        if changes.bytes >= STEP_BYTES {
            *tally = inner.disk.write(changes)?;
            changes = Changes::after(*tally);
        }
    }
    *tally = inner.disk.write(changes)?;
    Ok(())
}
