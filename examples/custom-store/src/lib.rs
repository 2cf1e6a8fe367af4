//! A store of the contract in under 200 lines of code, to learn from: everything in memory, and beside it a file that is
//! only appended to. `docs/custom-store.md` goes through it. It must not interpret events.
//!
//! No method awaits anything: a call that has begun runs to its end, even if its caller has lost patience. The price is a
//! thread that waits for the disk; a store for heavy load moves its writes to a thread of its own.

mod log;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Cursor, FencingToken, Gid, Header, Held, ListQuery,
    Owner, PAGE_MAX, Page, Refusal, SCAN_MAX, StoreError, StoreErrorKind, StoreLimits, Stored,
    TxnStore, UnixMillis,
};

use crate::log::{Change, Log, apply, failed};

/// Keeps transactions in a folder. Clones are one store.
#[derive(Clone)]
pub struct FileStore(Arc<Mutex<State>>);

struct State {
    records: BTreeMap<Gid, Stored>,
    log: Log,
    now: UnixMillis,
}

impl FileStore {
    /// Opens a folder, for one process at a time.
    ///
    /// # Errors
    /// Another process has it open, it can't be read or written, or it is damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let (log, records) = Log::open(folder)?;
        let now = UnixMillis(0);
        Ok(Self(Arc::new(Mutex::new(State { records, log, now }))))
    }

    /// Begins a call: its time never lies before that of an earlier one, whatever the clock does.
    fn begin(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let broken = |_| failed(StoreErrorKind::Corrupt, "a call panicked: open it anew");
        let mut state = self.0.lock().map_err(broken)?;
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        state.now = state
            .now
            .max(UnixMillis(0).plus(since_1970.unwrap_or_default()));
        Ok(state)
    }
}

impl State {
    /// The disk first: nobody sees what a crash could still take back.
    fn keep(&mut self, changes: Vec<Change>) -> Result<(), StoreError> {
        self.log.write(&changes)?;
        apply(&mut self.records, changes);
        Ok(())
    }

    /// Answers the record as it is after this append, or the refusal. Changes nothing.
    fn judge(&self, append: Append) -> Result<Stored, Result<AppendOutcome, StoreError>> {
        let invalid = |why| Err(Err(failed(StoreErrorKind::Invalid, why)));
        let present = self.records.get(&append.gid);
        let judged = append.judge(present.map(|stored| &stored.header), self.now);
        let header = match (judged, present) {
            (Ok(header), _) => header,
            (Err(Refusal::Exists), Some(stored)) => {
                return Err(Ok(AppendOutcome::Exists(Box::new(stored.clone()))));
            }
            (Err(Refusal::Stale | Refusal::Exists), _) => return Err(Ok(AppendOutcome::Stale)),
            (Err(Refusal::Fenced), _) => return Err(Ok(AppendOutcome::Fenced)),
        };
        if present.is_some_and(|stored| stored.header.status.is_final()) {
            return invalid("the transaction has ended: it never moves again");
        }
        let mut chunks = present.map_or_else(Vec::new, |stored| stored.chunks.clone());
        match append.chunk {
            Chunk::Add(bytes) => chunks.push(bytes),
            Chunk::Replace(bytes) => chunks = vec![bytes],
        }
        let stored = Stored { header, chunks };
        if size(&stored) > StoreLimits::default().record_bytes_max {
            return invalid("the history would be too large");
        }
        Ok(stored)
    }
}

fn size(stored: &Stored) -> usize {
    stored.chunks.iter().map(Bytes::len).sum()
}

fn set(stored: &Stored) -> Change {
    (stored.header.gid.clone(), Some(stored.clone()))
}

#[async_trait::async_trait]
impl TxnStore for FileStore {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let mut state = match self.begin() {
            Ok(state) => state,
            Err(error) => return batch.iter().map(|_| Err(error.clone())).collect(),
        };
        let judged: Vec<_> = batch
            .into_iter()
            .map(|append| state.judge(append))
            .collect();
        // One line and one sync, however many they are.
        let written = state.keep(judged.iter().flatten().map(set).collect());
        let answer = |judged: Result<Stored, _>| match judged {
            Ok(stored) => written
                .clone()
                .map(|()| AppendOutcome::Applied(stored.header.revision)),
            Err(refused) => refused,
        };
        judged.into_iter().map(answer).collect()
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        Ok(self.begin()?.records.get(gid).cloned())
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut state = self.begin()?;
        let now = state.now;
        let mut due: Vec<&Stored> = state
            .records
            .values()
            .filter(|stored| is_due(&stored.header, now))
            .collect();
        due.sort_by_key(|stored| stored.header.wake_at);
        let (mut claimed, mut bytes) = (Vec::new(), 0);
        for stored in due.into_iter().take(limit.count) {
            if bytes < limit.bytes {
                let mut stored = stored.clone();
                stored.header.token.0 += 1;
                stored.header.owner = Some(owner);
                stored.header.lease_until = Some(now.plus(lasts));
                bytes += size(&stored);
                claimed.push(stored);
            }
        }
        // Written as well: a token that was given out must not be given out again after a crash.
        state.keep(claimed.iter().map(set).collect())?;
        Ok(claimed)
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        let mut state = self.begin()?;
        let until = state.now.plus(lasts);
        // In memory alone: no lease outlives the process that holds the folder.
        let renew = |(gid, token): &(Gid, FencingToken)| {
            let header = state.records.get_mut(gid).map(|stored| &mut stored.header);
            let is_held = |header: &&mut Header| {
                header.token == *token && header.lease_until.is_some() && !header.status.is_final()
            };
            header.filter(is_held).map_or(Held::Lost, |header| {
                header.lease_until = Some(until);
                Held::Renewed(header.revision)
            })
        };
        Ok(held.iter().map(renew).collect())
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        let state = self.begin()?;
        let headers = state.records.values().map(|stored| &stored.header);
        let behind = |header: &&Header| {
            query
                .behind
                .as_ref()
                .is_none_or(|cursor| cursor.is_before(header))
        };
        let mut headers: Vec<_> = headers.filter(behind).collect();
        // Stable: those of one instant stay in the order of their gids.
        headers.sort_by_key(|header| Reverse(header.created_at));
        let (mut items, mut next) = (Vec::new(), None);
        for (looked_at, header) in headers.into_iter().enumerate() {
            if items.len() == query.limit.clamp(1, PAGE_MAX) || looked_at == SCAN_MAX {
                return Ok(Page { items, next });
            }
            items.extend(query.matches(header).then(|| header.clone()));
            next = Some(Cursor {
                created_at: header.created_at,
                gid: header.gid.clone(),
            });
        }
        Ok(Page { items, next: None })
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let mut state = self.begin()?;
        let headers = state.records.values().map(|stored| &stored.header);
        let is_old =
            |header: &&Header| header.status.is_final() && header.updated_at < ended_before;
        let mut old: Vec<_> = headers.filter(is_old).collect();
        old.sort_by_key(|header| header.created_at);
        let removed: Vec<Change> = old
            .iter()
            .take(limit)
            .map(|header| (header.gid.clone(), None))
            .collect();
        let count = removed.len();
        state.keep(removed)?;
        Ok(count)
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        Ok(self.begin()?.now)
    }
}

fn is_due(header: &Header, now: UnixMillis) -> bool {
    let is_awake = header.wake_at.is_some_and(|wake_at| wake_at <= now);
    is_awake && !header.status.is_final() && !header.is_leased(now)
}

/// Lets the examples of the guide be compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/custom-store.md")]
struct Guide;
