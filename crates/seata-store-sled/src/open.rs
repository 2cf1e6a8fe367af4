//! Opens the folder: locks it, lets sled recover, counts what is there, and makes the names durable.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use seata_store::UnixMillis;
use sled::Db;

use crate::error::OpenError;
use crate::index::Index;
use crate::scan::{self, Scan};
use crate::sync::{self, Beside, Changes, Disk, SyncFile};
use crate::tally::Tally;

const LOCK_FILE: &str = "seata.lock";
/// Tells the number of the last batch: what sled loses in silence is missed.
const BESIDE_FILE: &str = "seata.batch";

/// No batch may fill a segment: see the crate's documentation. It can't be changed for a store that is there.
const SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 64 << 20;

/// How long a store that was closed just now, in this process, may take to let go of its file.
const LET_GO_MAX: Duration = Duration::from_secs(5);

/// The files, open and owned.
pub(crate) struct Opened {
    pub(crate) folder: PathBuf,
    pub(crate) disk: Disk,
    pub(crate) index: Index,
    pub(crate) tally: Tally,
    pub(crate) latest: UnixMillis,
    /// Held as long as the store is.
    pub(crate) lock: File,
}

pub(crate) fn open(folder: &Path, sync: SyncFile) -> Result<Opened, OpenError> {
    let unusable = |why| OpenError::Folder {
        folder: folder.to_owned(),
        why,
    };
    let stood = nearest_that_stands(folder);
    make(folder)?;
    let lock = lock(folder)?;
    let path = folder.join("sled");
    let log = path.join("db");
    let (beside, acknowledged) = open_beside(folder, &log)?;
    settle(&path, &log, &sync).map_err(unusable)?;
    let db = open_engine(folder, &path)?;
    sync_names(folder, &path, &stood).map_err(unusable)?;
    let scan = unwound(folder, || scan::scan(&db))?.map_err(|why| broken(&log, why))?;
    check(&scan, acknowledged, &log)?;
    let disk = Disk::new(db, &log, beside, sync).map_err(unusable)?;
    let tally = first_batch(&disk, &scan).map_err(|why| OpenError::Engine {
        folder: folder.to_owned(),
        why: why.to_string(),
    })?;
    disk.sync_beside().map_err(unusable)?;
    Ok(Opened {
        folder: folder.to_owned(),
        disk,
        tally,
        index: scan.index,
        latest: scan.latest,
        lock,
    })
}

fn broken(file: &Path, what: impl ToString) -> OpenError {
    OpenError::Broken {
        file: file.to_owned(),
        what: what.to_string(),
    }
}

/// Opens the file that tells the last batch. It is made before the database and never removed, so one without the other is
/// damage.
fn open_beside(folder: &Path, log: &Path) -> Result<(File, u64), OpenError> {
    let unusable = |why| OpenError::Folder {
        folder: folder.to_owned(),
        why,
    };
    let path = folder.join(BESIDE_FILE);
    let stands = log.try_exists().map_err(unusable)?;
    if stands && !path.try_exists().map_err(unusable)? {
        return Err(broken(&path, "missing"));
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(unusable)?;
    if !stands && file.metadata().map_err(unusable)?.len() == 0 {
        sync::make_beside(&file).map_err(unusable)?;
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(unusable)?;
    }
    match sync::read_beside(&file).map_err(unusable)? {
        Beside::Batch(batch) if batch > 0 && !stands => Err(broken(log, "missing")),
        Beside::Batch(batch) => Ok((file, batch)),
        Beside::Damaged => Err(broken(&path, "damaged")),
    }
}

/// Brings the files into a state from which sled recovers safely.
///
/// What a process that was killed had written is read back whether or not it reached the disk. sled would write a snapshot
/// that tells of it, and clear the segments that it made free, before anything is synced: after a loss of power at that
/// moment the snapshot would point to what is gone, and what was moved would be nowhere. So the log is synced first.
///
/// sled writes a snapshot under a name that ends in `.generating`, and takes whatever such a file holds for the newest
/// snapshot at the next start. One that a crash or a full disk left behind is never whole for sure, and the one before it
/// goes only when the new one has its name: so it is removed.
fn settle(path: &Path, log: &Path, sync: &SyncFile) -> io::Result<()> {
    if !log.try_exists()? {
        return Ok(());
    }
    sync(&File::options().write(true).open(log)?)?;
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_half_made = file
            .extension()
            .is_some_and(|extension| extension == "generating");
        if is_half_made {
            tracing::warn!(file = %file.display(), "removed a snapshot that a crash left half made");
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}

/// Lets sled recover. Our lock is held, so nobody else but a store that was just closed here can hold sled's.
fn open_engine(folder: &Path, path: &Path) -> Result<Db, OpenError> {
    let config = sled::Config::new()
        .path(path)
        .segment_size(SEGMENT_BYTES)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let begun = Instant::now();
    loop {
        match unwound(folder, || config.open())? {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(why)) if why.to_string().contains("could not acquire lock") => {
                if begun.elapsed() > LET_GO_MAX {
                    return Err(OpenError::InUse(folder.to_owned()));
                }
                thread::sleep(Duration::from_millis(5));
            }
            Err(why @ sled::Error::Corruption { .. }) => {
                return Err(broken(&path.join("db"), format!("damaged ({why})")));
            }
            Err(why) => {
                return Err(OpenError::Engine {
                    folder: folder.to_owned(),
                    why: why.to_string(),
                });
            }
        }
    }
}

/// Turns a panic into an error: sled asserts where it meets what it did not write.
fn unwound<T>(folder: &Path, work: impl FnOnce() -> T) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| OpenError::Engine {
        folder: folder.to_owned(),
        why: "sled panicked on its files: restore the data folder from a backup".to_owned(),
    })
}

/// Refuses a store in which something is missing that was acknowledged.
fn check(scan: &Scan, acknowledged: u64, log: &Path) -> Result<(), OpenError> {
    let written = scan.written.unwrap_or_default();
    if written.batch < acknowledged {
        let what = format!(
            "damaged: it ends with batch {}, and batch {acknowledged} was acknowledged",
            written.batch
        );
        return Err(broken(log, what));
    }
    if !written.agrees(&scan.counted) {
        return Err(broken(
            log,
            "damaged: what it holds is not what was written",
        ));
    }
    Ok(())
}

/// Begins a new start, and removes what was written ahead in vain.
fn first_batch(disk: &Disk, scan: &Scan) -> Result<Tally, crate::error::WriteError> {
    let mut changes = Changes::after(scan.written.unwrap_or_default());
    changes.tally.opens += 1;
    for key in &scan.headless {
        changes.remove(key.clone());
    }
    disk.write(changes)
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

/// Answers the folder itself or the nearest one above it that is there.
fn nearest_that_stands(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let stands = absolute.ancestors().find(|level| level.exists());
    stands.unwrap_or(&absolute).to_owned()
}

/// Makes durable what sled leaves to chance: its files but the log, and the names of all, up to the folder that stood.
fn sync_names(folder: &Path, path: &Path, stood: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(path)?.sync_all()?;
    let stood = stood.canonicalize()?;
    for level in folder.canonicalize()?.ancestors() {
        File::open(level)?.sync_all()?;
        if level == stood.parent().unwrap_or(&stood) {
            break;
        }
    }
    Ok(())
}
