//! Moves what the log says to the other tables, many transactions at a time: what ended to `ended`, what is open to
//! `open`, and both into the list. So an append is one small write, and what ends before it is moved is never written as
//! an open one.
//!
//! Ended ones go straight into a table, sorted, without a journal. Only when they are durable does one batch write what is
//! open and the list, and say from where on the log counts: a crash before it leaves the whole log, which is moved again to
//! the same places. Appends go on meanwhile; memory forgets what was moved when all is done.

use std::sync::Arc;

use fjall::Keyspace;

use crate::active::Active;
use crate::memory::await_worker;
use crate::open::Files;
use crate::store::Inner;
use crate::write::synced;
use crate::{layout, log};

/// Batches of the log that are removed with one write, at most.
const REMOVED_AT_ONCE: u64 = 4096;

/// Writes what memory says of these to the tables. From `from` on the log counts.
pub(crate) fn write(files: &Files, moved: &[Arc<Active>], from: u64) -> Result<(), fjall::Error> {
    let (ended, open): (Vec<_>, Vec<_>) = moved
        .iter()
        .map(Arc::as_ref)
        .partition(|one| one.header.status.is_final());
    write_ended(&files.ended, ended)?;
    write_rest(files, &open, moved, from)
}

/// The step that counts: after it the log says nothing of `moved` any more.
fn write_rest(
    files: &Files,
    open: &[&Active],
    moved: &[Arc<Active>],
    from: u64,
) -> Result<(), fjall::Error> {
    let mut batch = synced(files);
    for one in open {
        if one.tail().is_empty() {
            continue;
        }
        let key = layout::open_key(&one.header.gid, one.header.revision);
        let value = layout::open_value(&one.header, one.tail_since(), one.tail());
        batch.insert(&files.open, key, value);
    }
    for one in moved {
        if one.settled().is_none() {
            let key = layout::created_key(one.header.created_at, &one.header.gid);
            batch.insert(&files.created, key, []);
        }
        for revision in one.superseded() {
            batch.remove(&files.open, layout::open_key(&one.header.gid, revision));
        }
    }
    batch.insert(&files.log, layout::FROM, from.to_le_bytes());
    batch.commit()
}

pub(crate) fn write_ended(table: &Keyspace, mut ended: Vec<&Active>) -> Result<(), fjall::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    ended.sort_unstable_by(|one, other| one.header.gid.cmp(&other.header.gid));
    let mut rows = table.start_ingestion()?;
    for one in ended {
        let value = layout::value(&one.header, one.tail());
        rows.write(one.header.gid.as_str(), value)?;
    }
    rows.finish()
}

/// Removes the batches of the log that no longer count.
pub(crate) fn clear_log(files: &Files, first: u64, from: u64) -> Result<(), fjall::Error> {
    let mut next = first;
    while next < from {
        let end = from.min(next + REMOVED_AT_ONCE);
        let mut batch = synced(files);
        (next..end).for_each(|number| batch.remove(&files.log, log::key(number)));
        batch.commit()?;
        next = end;
    }
    Ok(())
}

/// So many tables of ended ones may wait to be merged before the next move does: each new name is looked for in all of
/// them.
const UNMERGED_MAX: usize = 20;

/// Waits while merging is behind. Else a disk that can't keep up would get more and more of them. Answers false if it still
/// is.
pub(crate) fn await_merges(files: &Files) -> bool {
    await_worker(|| files.ended.l0_table_count() > UNMERGED_MAX)
}

/// What the settling of a store remembers.
#[derive(Debug)]
pub(crate) struct Settled {
    /// The first batch of the log that is there, whether or not it counts.
    pub(crate) first: u64,
}

impl Inner {
    /// Answers whether it is time to settle.
    pub(crate) fn is_much_unsettled(&self) -> bool {
        self.index().due_bytes() > self.options.log_bytes
    }

    /// Moves what the log says if it is much, and has written out what grew meanwhile.
    pub(crate) fn tidy(&self) -> Result<(), seata_store::StoreError> {
        if self.is_much_unsettled() {
            return self.settle();
        }
        let written = self.files.write_out();
        written.map_err(|error| self.write_failed("settling", &error))
    }

    /// Moves all that can be moved now. One at a time.
    pub(crate) fn settle(&self) -> Result<(), seata_store::StoreError> {
        // Behind or not: what waits for it would be more the next time.
        let _in_time = await_merges(&self.files);
        let mut settled = self.settling("settling")?;
        let (moved, from) = {
            let writer = self.writer("settling")?;
            (self.index().begin_settling(), writer.next)
        };
        let failed = |error| self.write_failed("settling", &error);
        if from > settled.first {
            write(&self.files, &moved, from).map_err(failed)?;
        }
        {
            let _none_appends = self.writer("settling")?;
            self.index().settle(&moved);
        }
        clear_log(&self.files, settled.first, from).map_err(failed)?;
        settled.first = from;
        self.files.write_out().map_err(failed)
    }
}
