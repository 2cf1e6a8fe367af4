//! The contract on fjall.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Cursor, FencingToken, Gid, Header, Held, ListQuery, Owner,
    Page, StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis, Writes,
};

use crate::claim::{self, Lease};
use crate::clock::Clock;
use crate::index::{Index, Known};
use crate::open::{self, Files, FjallOptions, OpenError};
use crate::read::Found;
use crate::settle::{self, Settled};
use crate::settler::Settler;
use crate::{list, read, write};

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
pub struct FjallStore {
    pub(crate) inner: Arc<Inner>,
    settler: Arc<Settler>,
}

/// Whoever takes several of its locks takes them in this order: `settling`, `writer`, `index`. `claiming` comes before all.
pub(crate) struct Inner {
    pub(crate) files: Files,
    /// Lets one claim in at a time.
    pub(crate) claiming: Mutex<()>,
    /// Lets one be moved at a time.
    settling: Mutex<Settled>,
    /// Lets one batch in at a time.
    writer: Mutex<Writer>,
    index: Mutex<Index>,
    pub(crate) options: FjallOptions,
    pub(crate) limits: StoreLimits,
    broken: AtomicBool,
    writes: Writes,
    clock: Clock,
}

/// What writing remembers.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The number of the log's next batch.
    pub(crate) next: u64,
    /// Where the next purge goes on.
    purge_from: Option<Cursor>,
}

impl FjallStore {
    /// Opens a folder, or makes it. May take a while: what is open is read.
    ///
    /// # Errors
    /// The folder is in use, can't be used, or is damaged.
    pub fn open(folder: &Path, options: FjallOptions) -> Result<Self, OpenError> {
        let (files, rebuilt) = open::open(folder, options.files_kept_max)?;
        let clock = Clock::starting_at(rebuilt.latest);
        let inner = Arc::new(Inner {
            files,
            claiming: Mutex::new(()),
            settling: Mutex::new(Settled {
                first: rebuilt.log_first,
            }),
            writer: Mutex::new(Writer {
                next: rebuilt.log_next,
                purge_from: None,
            }),
            index: Mutex::new(rebuilt.index),
            options,
            limits: StoreLimits {
                batch_count_max: 512,
                ..StoreLimits::default()
            },
            broken: AtomicBool::new(false),
            writes: Writes::default(),
            clock,
        });
        let settler = Settler::start(&inner).map_err(|why| OpenError::Folder {
            folder: folder.to_owned(),
            why,
        })?;
        Ok(Self {
            inner,
            settler: Arc::new(settler),
        })
    }

    /// Answers how much room the disk has. If the system can't tell, it is taken for enough.
    #[must_use]
    pub fn room(&self) -> Room {
        match rustix::fs::statvfs(&self.inner.files.folder) {
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

    /// Looks into memory.
    pub(crate) fn known(&self, gid: &Gid) -> Known {
        self.index().get(gid)
    }

    pub(crate) fn now(&self) -> UnixMillis {
        self.clock.now()
    }

    /// Answers whether the store may still be used.
    fn check(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                doing,
                "an earlier write failed: the process must end",
            ));
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
        self.enter(&self.writer, doing)
    }

    /// As [`Inner::writer`], for whoever moves what the log says.
    pub(crate) fn settling(
        &self,
        doing: &'static str,
    ) -> Result<MutexGuard<'_, Settled>, StoreError> {
        self.enter(&self.settling, doing)
    }

    fn enter<'a, T>(
        &self,
        mutex: &'a Mutex<T>,
        doing: &'static str,
    ) -> Result<MutexGuard<'a, T>, StoreError> {
        let guard = mutex.lock().unwrap_or_else(|poisoned| {
            self.fatal("a write panicked");
            poisoned.into_inner()
        });
        self.check(doing)?;
        Ok(guard)
    }

    /// Takes note that nothing may be written any more, and tells it once.
    pub(crate) fn fatal(&self, why: &str) {
        if !self.broken.swap(true, Ordering::Relaxed) {
            (self.options.on_fatal)(why);
        }
    }

    /// Says how full the disk is: the likeliest cause.
    fn free(&self) -> String {
        match rustix::fs::statvfs(&self.files.folder) {
            Ok(stat) => {
                let free = stat.f_bavail.saturating_mul(stat.f_frsize);
                format!("the disk has {free} bytes free")
            }
            Err(why) => format!("how many bytes the disk has free can't be told: {why}"),
        }
    }

    pub(crate) fn write_failed(&self, doing: &'static str, error: &fjall::Error) -> StoreError {
        let folder = self.files.folder.display();
        // It says so at every write behind one that failed in the background, and not why.
        let why = if matches!(error, fjall::Error::Poisoned) {
            format!("a table could not be written ({})", self.free())
        } else {
            error.to_string()
        };
        self.fatal(&format!("writing to {folder} failed: {why}"));
        StoreError::new(StoreErrorKind::Ambiguous, doing, error)
    }

    fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let _writing = self.writes.begin();
        let count = batch.len();
        if self.index().due_bytes() / 4 > self.options.log_bytes
            && let Err(error) = self.settle()
        {
            return vec![Err(error); count];
        }
        // In time or not: the worker may have failed, which the write tells.
        let _in_time = self.files.await_room();
        let mut writer = match self.writer("appending") {
            Ok(guard) => guard,
            Err(error) => return vec![Err(error); count],
        };
        write::append(self, batch, &mut writer.next)
            .unwrap_or_else(|error| vec![Err(self.write_failed("appending", &error)); count])
    }

    pub(crate) fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        match read::load(self, gid)? {
            Found::Record(stored) => return Ok(Some(*stored)),
            Found::Nothing => return Ok(None),
            Found::Moving => {}
        }
        // Once nothing is written or moved, memory and disk agree again.
        let _none_moves = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let _none_writes = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        read::load_settled(self, gid)
    }

    fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.check("purging")?;
        if self.index().has_ended_before(ended_before) {
            self.settle()?;
        }
        // A write to that table would wait for a merge, also for one that failed, and whoever appends would wait behind it.
        if !settle::await_merges(&self.files) {
            tracing::warn!("merging is behind: a purge waits for its next turn");
            return Ok(0);
        }
        let _writing = self.writes.begin();
        let mut writer = self.writer("purging")?;
        let (old, next) = list::purgeable(self, ended_before, limit, &writer.purge_from)?;
        writer.purge_from = next;
        write::remove(&self.files, &old)
            .and_then(|()| self.files.write_out())
            .map_err(|error| self.write_failed("purging", &error))?;
        Ok(old.len())
    }
}

#[async_trait]
impl TxnStore for FjallStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        if let Err(error) = self.inner.serves("appending") {
            return vec![Err(error); count];
        }
        let answers = self
            .blocking("appending", move |inner| Ok(inner.append(batch)))
            .await
            .unwrap_or_else(|error| vec![Err(error); count]);
        if self.inner.is_much_unsettled() {
            self.settler.wake();
        }
        answers
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
        if !self.inner.index().may_be_due(now) {
            return Ok(Vec::new());
        }
        let lease = Lease { owner, lasts, now };
        self.blocking("claiming", move |inner| claim::claim(inner, lease, limit))
            .await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        self.inner.check("renewing")?;
        let now = self.inner.now();
        let mut index = self.inner.index();
        Ok(held
            .iter()
            .map(|(gid, token)| index.renew(gid, *token, lasts, now))
            .collect())
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        self.inner.writes.check("listing")?;
        let query = query.clone();
        self.blocking("listing", move |inner| list::list(inner, &query))
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
