//! What tables have in memory: when it is written out, how much of it there may be, and the wait for the worker.

use std::thread;
use std::time::{Duration, Instant};

use fjall::AbstractTree;

use crate::open::Files;

/// From so many bytes on, what a table has in memory is written out.
const MEMTABLE_BYTES: u64 = 8 << 20;

/// So much of the log at most is in memory behind a merge, about: appends wait beyond.
const LOG_IN_MEMORY_BYTES_MAX: u64 = 64 << 20;

/// For so long at most whoever needs the worker waits for it.
const WORKED_WITHIN: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(10);

/// Waits while the worker is behind. Answers false if it still is.
pub(crate) fn await_worker(is_behind: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while is_behind() {
        if begun.elapsed() > WORKED_WITHIN {
            return false;
        }
        thread::sleep(GLANCE);
    }
    true
}

impl Files {
    /// Waits while too much of the log is in memory, and the worker has not got round to it. Answers false if it still is.
    pub(crate) fn await_room(&self) -> bool {
        let log = &self.log.tree;
        await_worker(|| {
            log.active_memtable().size() > LOG_IN_MEMORY_BYTES_MAX
                && log.sealed_memtable_count() > 0
        })
    }

    /// Has what tables have in memory written out, where it is much. fjall would ask its worker for that by itself, at every
    /// commit until the worker gets round to it. Behind a merge that lasts, these questions would fill the worker's queue,
    /// and the worker, which asks itself for more, would wait for a place in it without end.
    pub(crate) fn write_out(&self) -> Result<(), fjall::Error> {
        for table in [&self.log, &self.open, &self.ended, &self.created] {
            let is_much = table.tree.active_memtable().size() > MEMTABLE_BYTES;
            // One at a time: with some of them on their way, each commit would wait for the worker.
            if is_much && table.tree.sealed_memtable_count() == 0 {
                table.rotate_memtable()?;
            }
        }
        Ok(())
    }
}
