//! The contract on fjall.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Cursor, FencingToken, Gid, Header, Held, ListQuery, Owner,
    Page, StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::clock::Clock;
use crate::index::{Index, Open};
use crate::open::{self, Files, FjallOptions, OpenError};
use crate::read::Found;
use crate::{read, write};

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
}

pub(crate) struct Inner {
    pub(crate) files: Files,
    index: Mutex<Index>,
    /// Lets one batch in at a time. Holds where the next purge goes on.
    writer: Mutex<Option<Cursor>>,
    options: FjallOptions,
    limits: StoreLimits,
    broken: AtomicBool,
    clock: Clock,
}

impl FjallStore {
    /// Opens a folder, or makes it. May take a while: what is open is read.
    ///
    /// # Errors
    /// The folder is in use, can't be used, or is damaged.
    pub fn open(folder: &Path, options: FjallOptions) -> Result<Self, OpenError> {
        let (files, index) = open::open(folder, options.files_kept_max)?;
        let clock = Clock::starting_at(index.latest());
        let inner = Inner {
            files,
            index: Mutex::new(index),
            writer: Mutex::new(None),
            options,
            limits: StoreLimits {
                batch_count_max: 512,
                ..StoreLimits::default()
            },
            broken: AtomicBool::new(false),
            clock,
        };
        Ok(Self {
            inner: Arc::new(inner),
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
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> UnixMillis {
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

    /// Lets one writer in at a time, and none after a write that failed or panicked: what is on disk is not known.
    pub(crate) fn writer(
        &self,
        doing: &'static str,
    ) -> Result<MutexGuard<'_, Option<Cursor>>, StoreError> {
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

    fn write_failed(&self, doing: &'static str, error: &fjall::Error) -> StoreError {
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
        let count = batch.len();
        let _one_at_a_time = match self.writer("appending") {
            Ok(guard) => guard,
            Err(error) => return vec![Err(error); count],
        };
        let bytes_max = self.limits.record_bytes_max;
        write::append(&self.files, &self.index, batch, self.now(), bytes_max)
            .unwrap_or_else(|error| vec![Err(self.write_failed("appending", &error)); count])
    }

    fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        match read::load(&self.files, &self.index, gid)? {
            Found::Record(stored) => return Ok(Some(*stored)),
            Found::Nothing => return Ok(None),
            Found::Moving => {}
        }
        // Once the write is over, memory and disk agree again.
        let _none_writes = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        read::load_settled(&self.files, &self.index, gid)
    }

    fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let mut from = self.writer("purging")?;
        let (old, next) = read::purgeable(&self.files, &self.index, ended_before, limit, &from)?;
        *from = next;
        write::remove(&self.files, &old).map_err(|error| self.write_failed("purging", &error))?;
        Ok(old.len())
    }

    /// Reads what was claimed. What can't be read is told and left out, or it would hold up all that is due behind it;
    /// it is claimed again when its lease has passed.
    fn claimed(&self, claimed: Vec<Open>) -> Result<Vec<Stored>, StoreError> {
        let (mut stored, mut unreadable) = (Vec::with_capacity(claimed.len()), None);
        for open in claimed {
            match read::settled_chunks(&self.files, &open) {
                Ok(chunks) => stored.push(Stored {
                    header: open.header,
                    chunks,
                }),
                Err(error) => {
                    tracing::error!(gid = %open.header.gid, %error, "a due transaction can't be read");
                    unreadable = Some(error);
                }
            }
        }
        match unreadable {
            Some(error) if stored.is_empty() => Err(error),
            Some(_) | None => Ok(stored),
        }
    }
}

#[async_trait]
impl TxnStore for FjallStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        self.blocking("appending", move |inner| Ok(inner.append(batch)))
            .await
            .unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
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
        self.inner.check("claiming")?;
        let now = self.inner.now();
        let claimed = self.inner.index().claim(owner, lasts, limit, now);
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        self.blocking("claiming", move |inner| inner.claimed(claimed))
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
        let query = query.clone();
        self.blocking("listing", move |inner| {
            read::list(&inner.files, &inner.index, &query)
        })
        .await
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        self.blocking("purging", move |inner| inner.purge(ended_before, limit))
            .await
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        self.inner.check("asking the embedded store")?;
        Ok(self.inner.now())
    }

    fn limits(&self) -> StoreLimits {
        self.inner.limits
    }
}
