//! The contract on fjall.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use seata_store::{
    Append, AppendOutcome, ClaimLimit, FencingToken, Gid, Header, Held, ListQuery, Owner, Page,
    StoreError, StoreErrorKind, StoreLimits, Stored, TxnStore, UnixMillis,
};

use crate::index::Index;
use crate::open::{self, Files, FjallOptions, OpenError};
use crate::{layout, read, write};

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
    inner: Arc<Inner>,
}

struct Inner {
    files: Files,
    index: Mutex<Index>,
    /// Lets one batch in at a time.
    writer: Mutex<()>,
    options: FjallOptions,
    limits: StoreLimits,
    broken: AtomicBool,
    clock_ms: AtomicI64,
}

impl FjallStore {
    /// Opens a folder, or makes it. May take a while: what is open is read.
    ///
    /// # Errors
    /// The folder is in use, can't be used, or is damaged.
    pub fn open(folder: &Path, options: FjallOptions) -> Result<Self, OpenError> {
        let (files, index) = open::open(folder)?;
        let inner = Inner {
            files,
            index: Mutex::new(index),
            writer: Mutex::new(()),
            options,
            limits: StoreLimits {
                batch_count_max: 512,
                ..StoreLimits::default()
            },
            broken: AtomicBool::new(false),
            clock_ms: AtomicI64::new(0),
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
    fn index(&self) -> std::sync::MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the time; it never goes back within this process.
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        let now_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        UnixMillis(
            self.clock_ms
                .fetch_max(now_ms, Ordering::Relaxed)
                .max(now_ms),
        )
    }

    fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if self.broken.load(Ordering::Relaxed) {
            return fail(
                count,
                StoreErrorKind::Unavailable,
                "an earlier write failed: the process must end",
            );
        }
        match write::append(
            &self.files,
            &self.index,
            batch,
            self.now(),
            self.limits.record_bytes_max,
        ) {
            Ok(answers) => answers,
            Err(error) => {
                self.broken.store(true, Ordering::Relaxed);
                (self.options.on_fatal)(&format!(
                    "writing to {} failed: {error}",
                    self.files.folder.display()
                ));
                fail(count, StoreErrorKind::Ambiguous, &error.to_string())
            }
        }
    }

    fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let _one_at_a_time = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let old = read::purgeable(&self.files, &self.index, ended_before, limit)?;
        let mut batch = self.files.database.batch();
        for header in &old {
            batch.remove(&self.files.ended, header.gid.as_str());
            batch.remove(
                &self.files.created,
                layout::created_key(header.created_at, &header.gid),
            );
        }
        // No sync: what comes back after a crash is purged again.
        batch.commit().map_err(|error| read::failed(&error))?;
        Ok(old.len())
    }
}

fn fail(count: usize, kind: StoreErrorKind, why: &str) -> Vec<Result<AppendOutcome, StoreError>> {
    (0..count)
        .map(|_| Err(StoreError::new(kind, "appending", why)))
        .collect()
}

#[async_trait]
impl TxnStore for FjallStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let (inner, count) = (Arc::clone(&self.inner), batch.len());
        let done = tokio::task::spawn_blocking(move || inner.append(batch)).await;
        done.unwrap_or_else(|error| fail(count, StoreErrorKind::Ambiguous, &error.to_string()))
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        let gid = gid.clone();
        self.blocking("loading", move |inner| {
            read::load(&inner.files, &inner.index, &gid)
        })
        .await
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        let claimed = {
            let now = self.inner.now();
            self.inner.index().claim(owner, lasts, limit, now)
        };
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        self.blocking("claiming", move |inner| {
            let mut stored = Vec::with_capacity(claimed.len());
            for open in claimed {
                // Ended meanwhile: nothing is left to be claimed.
                if let Some(chunks) = read::chunks(&inner.files, &open)? {
                    stored.push(Stored {
                        header: open.header,
                        chunks,
                    });
                }
            }
            Ok(stored)
        })
        .await
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
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
        if self.inner.broken.load(Ordering::Relaxed) {
            let why = "an earlier write failed: the process must end";
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "asking the embedded store",
                why,
            ));
        }
        Ok(self.inner.now())
    }

    fn limits(&self) -> StoreLimits {
        self.inner.limits
    }
}
