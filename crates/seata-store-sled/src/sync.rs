//! Makes a batch durable: the promise that sled's own flush does not make.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sled::{Batch, Db};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::WriteError;
use crate::layout;
use crate::tally::Tally;

/// How a file is made durable; tests count it, or let it fail.
pub(crate) type SyncFile = Box<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// The database, the file that it writes, and the file beside that tells the last batch.
pub(crate) struct Disk {
    pub(crate) db: Db,
    log: File,
    beside: File,
    sync: SyncFile,
}

/// Changes that are written at once.
pub(crate) struct Changes {
    batch: Batch,
    pub(crate) tally: Tally,
    /// How many bytes the keys and values have.
    pub(crate) bytes: usize,
}

impl Changes {
    pub(crate) fn after(tally: Tally) -> Self {
        Self {
            batch: Batch::default(),
            tally,
            bytes: 0,
        }
    }

    /// Adds a key that is not there.
    pub(crate) fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.tally.add(&key);
        self.bytes += key.len() + value.len();
        self.batch.insert(key, value);
    }

    /// Removes a key that is there.
    pub(crate) fn remove(&mut self, key: Vec<u8>) {
        self.tally.subtract(&key);
        self.bytes += key.len();
        self.batch.remove(key);
    }
}

impl Disk {
    pub(crate) fn new(db: Db, log: &Path, beside: File, sync: SyncFile) -> io::Result<Self> {
        Ok(Self {
            db,
            log: OpenOptions::new().write(true).open(log)?,
            beside,
            sync,
        })
    }

    /// Writes changes with one sync, and answers the tally as it stands then.
    pub(crate) fn write(&self, mut changes: Changes) -> Result<Tally, WriteError> {
        changes.tally.batch += 1;
        changes.batch.insert(layout::TALLY, changes.tally.write());
        self.db.apply_batch(changes.batch)?;
        self.db.flush()?;
        (self.sync)(&self.log)?;
        // It is not synced: it may be older than the store, never newer.
        self.beside
            .write_all_at(&write_number(changes.tally.batch), 0)?;
        Ok(changes.tally)
    }

    #[cfg(test)]
    pub(crate) fn last_tally(&self) -> Tally {
        let value = self.db.get(layout::TALLY).ok().flatten();
        value.map_or_else(Tally::default, |value| {
            Tally::read(&value).unwrap_or_default()
        })
    }

    /// Makes durable what the file beside says.
    pub(crate) fn sync_beside(&self) -> io::Result<()> {
        self.beside.sync_data()
    }
}

const NUMBER_BYTES: usize = 16;

fn write_number(batch: u64) -> [u8; NUMBER_BYTES] {
    let number = batch.to_le_bytes();
    let mut bytes = [0; NUMBER_BYTES];
    bytes[..8].copy_from_slice(&number);
    bytes[8..].copy_from_slice(&xxh3_64(&number).to_le_bytes());
    bytes
}

/// What the file beside says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// At least this batch was acknowledged, or was about to be.
    Batch(u64),
    /// Nothing that was written here.
    Damaged,
}

pub(crate) fn read_beside(file: &File) -> io::Result<Beside> {
    let mut bytes = [0; NUMBER_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Beside::Damaged),
        Err(error) => return Err(error),
    }
    let batch = bytes
        .first_chunk()
        .map_or(0, |number| u64::from_le_bytes(*number));
    Ok(match write_number(batch) == bytes {
        true => Beside::Batch(batch),
        false => Beside::Damaged,
    })
}

/// Makes the file beside, durably and before the database.
pub(crate) fn make_beside(file: &File) -> io::Result<()> {
    file.write_all_at(&write_number(0), 0)?;
    file.sync_all()
}
