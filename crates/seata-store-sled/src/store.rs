//! The contract on sled.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Cursor, FencingToken, Gid, Header, Held, ListQuery, Owner,
    Page, StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis, Writes,
};

use crate::clock::Clock;
use crate::error::{OpenError, WriteError};
use crate::index::Index;
use crate::open;
use crate::options::SledOptions;
use crate::read::Found;
use crate::sync::{Disk, SyncFile};
use crate::tally::Tally;
use crate::{append, lease, purge, read};

/// How much room the disk has for new transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Enough.
    Enough,
    /// Below the bound: only what is open should go on.
    Low,
}

/// Keeps transactions in a folder that it owns. Clones are one store.
#[derive(Clone)]
pub struct SledStore {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) disk: Disk,
    index: Mutex<Index>,
    /// Lets one batch in at a time.
    writer: Mutex<Writer>,
    pub(crate) limits: StoreLimits,
    clock: Clock,
    broken: AtomicBool,
    writes: Writes,
    folder: PathBuf,
    options: SledOptions,
    /// Let go of last.
    _lock: File,
}

/// What only the writer knows.
pub(crate) struct Writer {
    tally: Tally,
    /// Where the next purge goes on.
    purged_to: Option<Cursor>,
}

impl SledStore {
    /// Opens a folder, or makes it. May take a while: all is read.
    ///
    /// # Errors
    /// The folder is in use, can't be used, or is damaged.
    pub fn open(folder: &Path, options: SledOptions) -> Result<Self, OpenError> {
        Self::open_with(folder, options, Box::new(File::sync_data))
    }

    /// As [`SledStore::open`], with another way to make the log durable.
    pub(crate) fn open_with(
        folder: &Path,
        options: SledOptions,
        sync: SyncFile,
    ) -> Result<Self, OpenError> {
        let opened = open::open(folder, sync)?;
        let inner = Inner {
            disk: opened.disk,
            index: Mutex::new(opened.index),
            writer: Mutex::new(Writer {
                tally: opened.tally,
                purged_to: None,
            }),
            limits: StoreLimits {
                batch_bytes_max: append::STEP_BYTES,
                ..StoreLimits::default()
            },
            clock: Clock::starting_at(opened.latest),
            broken: AtomicBool::new(false),
            writes: Writes::default(),
            folder: opened.folder,
            options,
            _lock: opened.lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Answers how much room the disk has. If the system can't tell, it is taken for enough.
    #[must_use]
    pub fn room(&self) -> Room {
        match rustix::fs::statvfs(&self.inner.folder) {
            Ok(stat)
                if stat.f_bavail.saturating_mul(stat.f_frsize)
                    < self.inner.options.disk_free_min_bytes =>
            {
                Room::Low
            }
            Ok(_) | Err(_) => Room::Enough,
        }
    }

    /// Does what may wait for the disk on a thread for that.
    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|error| Err(StoreError::new(StoreErrorKind::Ambiguous, doing, error)))
    }
}

impl Inner {
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Answers whether the store may still be used.
    fn check(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            let why = "an earlier write failed: the process must end";
            return Err(StoreError::new(StoreErrorKind::Unavailable, doing, why));
        }
        Ok(())
    }

    /// As `check`, for all but renewals: while a write waits for the disk, what is answered from memory would tell that all
    /// is well. The leases are in memory, and nobody else can take them.
    fn serves(&self, doing: &'static str) -> Result<(), StoreError> {
        self.check(doing)?;
        self.writes.check(doing)
    }

    /// Lets one writer in at a time, and none after a write that failed or panicked: what is on disk is not known.
    pub(crate) fn writer(&self, doing: &'static str) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let guard = self.writer.lock().unwrap_or_else(|poisoned| {
            self.fatal("a write panicked");
            poisoned.into_inner()
        });
        self.check(doing)?;
        Ok(guard)
    }

    /// Takes note that nothing may be written any more, and tells it once.
    fn fatal(&self, why: &str) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            (self.options.on_fatal)(why);
        }
    }

    fn write_failed(&self, doing: &'static str, error: &WriteError) -> StoreError {
        let folder = self.folder.display();
        self.fatal(&format!("writing to {folder} failed: {error}"));
        StoreError::new(StoreErrorKind::Ambiguous, doing, error)
    }

    fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let _writing = self.writes.begin();
        let count = batch.len();
        let mut writer = match self.writer("appending") {
            Ok(guard) => guard,
            Err(error) => return vec![Err(error); count],
        };
        append::append(self, &mut writer.tally, batch)
            .unwrap_or_else(|error| vec![Err(self.write_failed("appending", &error)); count])
    }

    fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        match read::load(self, gid)? {
            Found::Record(stored) => return Ok(Some(*stored)),
            Found::Nothing => return Ok(None),
            Found::Moving => {}
        }
        // Once the write is over, memory and disk agree again; if it failed, what is on disk is not known.
        let _none_writes = self.writer("loading")?;
        read::load_settled(self, gid)
    }

    fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let _writing = self.writes.begin();
        let mut writer = self.writer("purging")?;
        let from = writer.purged_to.as_ref();
        let (old, next) = purge::find(self, ended_before, limit, from)?;
        writer.purged_to = next;
        purge::remove(self, &mut writer.tally, &old)
            .map_err(|error| self.write_failed("purging", &error))?;
        Ok(old.len())
    }
}

#[async_trait]
impl TxnStore for SledStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        if let Err(error) = self.inner.serves("appending") {
            return vec![Err(error); count];
        }
        self.blocking("appending", move |inner| Ok(inner.append(batch)))
            .await
            .unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        self.inner.writes.check("loading")?;
        let gid = gid.clone();
        self.blocking("loading", move |inner| inner.load(&gid))
            .await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        self.inner.serves("claiming")?;
        let now = self.inner.now();
        let claimed = self.inner.index().claim(owner, lasts, limit, now);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        self.blocking("claiming", move |inner| lease::claimed(inner, claimed))
            .await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.inner.check("renewing")?;
        Ok(lease::renew(&self.inner, held, lasts))
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.inner.writes.check("listing")?;
        let query = query.clone();
        self.blocking("listing", move |inner| read::list(inner, &query))
            .await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.inner.serves("purging")?;
        self.blocking("purging", move |inner| inner.purge(ended_before, limit))
            .await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.inner.serves("asking the embedded store")?;
        Ok(self.inner.now())
    }

    fn limits(&self) -> StoreLimits {
        self.inner.limits
    }
}
