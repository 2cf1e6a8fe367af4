//! Ended transactions that somebody waited for or asked about lately: immutable until they are purged, so that they can be
//! answered from memory for as long as no purge can have come, by whichever server. The rule: an end is told from memory only while
//! this server's idea of the store's time, late as it may be, says that `retention` is far from over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use seata_core::planted::{self, Planted};
use seata_core::{Gid, UnixMillis};

use crate::content;
use crate::snapshot::Snapshot;

#[derive(Default)]
struct Kept {
    by_gid: BTreeMap<Gid, Snapshot>,
    oldest: VecDeque<Gid>,
}

/// The most bytes that requests gave of a transaction that is kept.
const GIVEN_BYTES_MAX: usize = 8 << 10;

/// The most branches of a transaction that is kept.
const BRANCHES_MAX: usize = 16;

fn is_small(snapshot: &Snapshot) -> bool {
    let transaction = &snapshot.transaction;
    transaction.branch_count() <= BRANCHES_MAX && content::given_of(transaction) <= GIVEN_BYTES_MAX
}

/// A bounded memory; the oldest goes first.
pub(crate) struct Ended {
    kept: Mutex<Kept>,
    count_max: usize,
    kept_for: Duration,
}

impl Ended {
    pub(crate) fn new(count_max: usize, kept_for: Duration) -> Self {
        Self {
            kept: Mutex::default(),
            count_max,
            kept_for,
        }
    }

    /// Keeps one that ended lately. Large transactions stay in the store alone, so that the memory is bounded in bytes as
    /// well.
    pub(crate) fn keep(&self, snapshot: Snapshot, now: UnixMillis) {
        if self.count_max == 0 || !self.is_fresh(&snapshot, now) || !is_small(&snapshot) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let gid = snapshot.header.gid.clone();
        if kept.by_gid.insert(gid.clone(), snapshot).is_none() {
            kept.oldest.push_back(gid);
        }
        if kept.oldest.len() > self.count_max
            && let Some(oldest) = kept.oldest.pop_front()
        {
            kept.by_gid.remove(&oldest);
        }
    }

    /// Forgets one whose name is used again.
    pub(crate) fn forget(&self, gid: &Gid) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.by_gid.remove(gid).is_some() {
            kept.oldest.retain(|old| old != gid);
        }
    }

    /// Answers one that ended lately.
    pub(crate) fn get(&self, gid: &Gid, now: UnixMillis) -> Option<Snapshot> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = kept.by_gid.get(gid)?;
        let fresh = self.is_fresh(snapshot, now) || planted::is(Planted::EndedServedAfterPurge);
        fresh.then(|| snapshot.clone())
    }

    fn is_fresh(&self, snapshot: &Snapshot, now: UnixMillis) -> bool {
        now.since(snapshot.header.updated_at) < self.kept_for
    }
}
