//! Opens the folder: locks it, checks it, and rebuilds the index.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fjall::compaction::Leveled;
use fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, FilterPolicy, FilterPolicyEntry, PartitioningPolicy,
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions};
use seata_store::StoreError;

use crate::damage::{self, Damage, Wrong};
use crate::rebuild::{self, Rebuilt};
use crate::starts::Start;

/// How the store runs.
pub struct FjallOptions {
    /// Below so much free disk space the store says that there is little room.
    pub disk_free_min_bytes: u64,
    /// The most files of tables that are kept open for reading, at least 10. Some dozens more are open at times: logs, and
    /// what is being merged.
    pub files_kept_max: usize,
    /// From about so many bytes of memory on, what is in the log alone is moved to the tables. With more, each transaction
    /// costs less, and a start takes longer. Appends wait at four times as many.
    pub log_bytes: usize,
    /// Is told once, when a write or sync failed and the process must end.
    pub on_fatal: Box<dyn Fn(&str) + Send + Sync>,
}

impl FjallOptions {
    /// Makes the usual ones.
    pub fn new(on_fatal: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self {
            disk_free_min_bytes: 64 << 20,
            files_kept_max: 100,
            log_bytes: 8 << 20,
            on_fatal: Box::new(on_fatal),
        }
    }
}

/// Why a folder can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store in this one, has it open.
    #[error(
        "the data folder {0} is in use by another process: stop it, or choose another folder (SEATA_DATA_DIR)"
    )]
    InUse(PathBuf),
    /// Something else has the folder's name.
    #[error("the data folder {0} is not a folder: choose another one (SEATA_DATA_DIR)")]
    NotAFolder(PathBuf),
    /// The folder can't be used.
    #[error(
        "the data folder {folder} can't be used: {why}; mend that, or choose another folder (SEATA_DATA_DIR)"
    )]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file is damaged, and not only at its end: acknowledged transactions could be missing.
    #[error(
        "the journal {file} is damaged at byte {offset}, with acknowledged transactions behind it: \
         restore the data folder from a backup; nothing was changed"
    )]
    Damaged {
        /// Which.
        file: PathBuf,
        /// Where.
        offset: usize,
    },
    /// A file is missing or is not what was written: acknowledged transactions could be missing.
    #[error(
        "the store's file {file} is {what}: restore the data folder from a backup; nothing was changed"
    )]
    Broken {
        /// Which.
        file: PathBuf,
        /// `missing` or `damaged`.
        what: &'static str,
    },
    /// A version that kept no log wrote it, and this one can't read what it holds.
    #[error(
        "the data folder {0} was written by an earlier version of this server, which kept no log: let that version end what \
         is open there, then give this one a new folder (SEATA_DATA_DIR); nothing was changed"
    )]
    Earlier(PathBuf),
    /// The engine below can't open its files.
    #[error(
        "the store in {folder} can't be opened: {why}. If a file of it is damaged or missing, restore the data folder from a \
         backup"
    )]
    Engine {
        /// Where.
        folder: PathBuf,
        /// What it says.
        why: String,
    },
    /// A record can't be read.
    #[error("the store in {folder} holds a record that can't be read: {why}")]
    Record {
        /// Where.
        folder: PathBuf,
        /// Which, and what is wrong.
        why: StoreError,
    },
}

const LOCK_FILE: &str = "seata.lock";
const CACHE_BYTES: u64 = 8 << 20;
/// A start reads them all, and keeps what they say in memory until it is in tables.
const JOURNALS_BYTES_MAX: u64 = 64 << 20;
const BITS_PER_KEY: f32 = 10.0;
/// So many new tables are merged at once into those of the next level, which are of this size; from so many times this size
/// on, that level spills into the one below. gids are chance, so that each merge rewrites most of that level: the more
/// come together, the less often; but each new name is looked for in each of them. A folder keeps what it was made with.
const TABLES_MERGED: u8 = 8;
const TABLE_BYTES: u64 = 16 << 20;

/// The files, open and owned.
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    pub(crate) database: Database,
    pub(crate) log: Keyspace,
    pub(crate) open: Keyspace,
    pub(crate) ended: Keyspace,
    pub(crate) created: Keyspace,
    /// Held as long as the store is.
    _lock: File,
}

/// What the engine below takes at least.
const FILES_KEPT_MIN: usize = 10;

pub(crate) fn open(folder: &Path, files_kept_max: usize) -> Result<(Files, Rebuilt), OpenError> {
    let unusable = |why| OpenError::Folder {
        folder: folder.to_owned(),
        why,
    };
    let stood = nearest_that_stands(folder);
    make(folder)?;
    let lock = lock(folder)?;
    let path = folder.join("fjall");
    if let Err(damage) = damage::check(&path).map_err(unusable)? {
        return Err(damaged(folder, damage));
    }
    let engine = |why: fjall::Error| {
        if matches!(why, fjall::Error::Locked) {
            OpenError::InUse(folder.to_owned())
        } else {
            OpenError::Engine {
                folder: folder.to_owned(),
                why: why.to_string(),
            }
        }
    };
    let database = Database::builder(&path)
        .cache_size(CACHE_BYTES)
        .worker_threads(1)
        .max_cached_files(Some(files_kept_max.max(FILES_KEPT_MIN)))
        .max_journaling_size(JOURNALS_BYTES_MAX)
        .manual_journal_persist(true)
        .open()
        .map_err(engine)?;
    let keyspace = |name| database.keyspace(name, keyspace_options).map_err(engine);
    let (log, open) = (keyspace("log")?, keyspace("open")?);
    let (ended, created) = (keyspace("ended")?, keyspace("created")?);
    sync_names(folder, &stood).map_err(unusable)?;
    let unreadable = |why| OpenError::Record {
        folder: folder.to_owned(),
        why,
    };
    let files = Files {
        folder: folder.to_owned(),
        database,
        log,
        open,
        ended,
        created,
        _lock: lock,
    };
    let start = Start::next(&files.ended).map_err(unreadable)?;
    let rebuilt = rebuild::rebuild(&files, start).map_err(unreadable)?;
    start.write(&files.database, &files.ended).map_err(engine)?;
    Ok((files, rebuilt))
}

/// Makes the folder if it isn't there.
fn make(folder: &Path) -> Result<(), OpenError> {
    match fs::create_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(_) if folder.exists() => Err(OpenError::NotAFolder(folder.to_owned())),
        Err(why) => Err(OpenError::Folder {
            folder: folder.to_owned(),
            why,
        }),
    }
}

/// Answers the folder itself or the nearest one above it that is there.
fn nearest_that_stands(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let stands = absolute.ancestors().find(|level| level.exists());
    stands.unwrap_or(&absolute).to_owned()
}

/// Makes the names of the folder and of what is in it durable, as fjall does for its own: a new folder would be gone after
/// a power loss, with all that was acknowledged.
fn sync_names(folder: &Path, stood: &Path) -> io::Result<()> {
    for level in levels_to_sync(folder, stood)? {
        File::open(level)?.sync_all()?;
    }
    Ok(())
}

/// Answers the folder and those above it, up to the one that stood before it was made, and its parent at least: an
/// earlier start may have broken off behind the making.
fn levels_to_sync(folder: &Path, stood: &Path) -> io::Result<Vec<PathBuf>> {
    let (folder, stood) = (folder.canonicalize()?, stood.canonicalize()?);
    let made = folder
        .ancestors()
        .take_while(|level| **level != *stood)
        .count();
    let count = made.max(1) + 1;
    Ok(folder.ancestors().take(count).map(Path::to_owned).collect())
}

fn damaged(folder: &Path, Damage { file, wrong }: Damage) -> OpenError {
    match wrong {
        Wrong::Journal { offset } => OpenError::Damaged { file, offset },
        Wrong::Missing => OpenError::Broken {
            file,
            what: "missing",
        },
        Wrong::Altered => OpenError::Broken {
            file,
            what: "damaged",
        },
        Wrong::Earlier => OpenError::Earlier(folder.to_owned()),
    }
}

fn keyspace_options() -> KeyspaceCreateOptions {
    let filter = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(BITS_PER_KEY));
    // A table's whole index is larger than what the cache takes in: each search would read it anew.
    let parts = PartitioningPolicy::new([false, true]);
    let merging = Leveled::default()
        .with_l0_threshold(TABLES_MERGED)
        .with_table_target_size(TABLE_BYTES);
    KeyspaceCreateOptions::default()
        .compaction_strategy(Arc::new(merging))
        // See `Files::write_out`. Folders that were made before keep what they had, and its danger.
        .max_memtable_size(u64::MAX)
        .data_block_size_policy(BlockSizePolicy::all(4 * 1024))
        .filter_policy(FilterPolicy::all(filter))
        .filter_block_partitioning_policy(parts.clone())
        .index_block_partitioning_policy(parts)
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let unusable = |why| OpenError::Folder {
        folder: folder.to_owned(),
        why,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join(LOCK_FILE))
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(folder.to_owned())),
        Err(TryLockError::Error(why)) => Err(unusable(why)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn each_level_that_was_made_is_made_durable() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().canonicalize().unwrap();
        let folder = root.join("a/b/c");
        let stood = nearest_that_stands(&folder);
        make(&folder).unwrap();
        let levels = levels_to_sync(&folder, &stood).unwrap();
        let made = ["a/b/c", "a/b", "a"].map(|level| root.join(level));
        assert_eq!(levels, [&made[..], std::slice::from_ref(&root)].concat());
        let stood = nearest_that_stands(&folder);
        let again = levels_to_sync(&folder, &stood).unwrap();
        assert_eq!(again, made[..2], "the folder and its parent");
    }
}
