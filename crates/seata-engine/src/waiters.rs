//! Clients that wait for an end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use seata_core::Gid;
use tokio::sync::Notify;

#[derive(Default)]
struct Waiting {
    by_gid: BTreeMap<Gid, (Arc<Notify>, usize)>,
    count: usize,
}

/// Who waits for which transaction. Bounded.
pub(crate) struct Waiters {
    waiting: Mutex<Waiting>,
    count_max: usize,
}

/// One client's place, given up when dropped.
pub(crate) struct Place<'a> {
    waiters: &'a Waiters,
    gid: Gid,
    settled: Arc<Notify>,
}

impl Waiters {
    pub(crate) fn new(count_max: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            count_max,
        }
    }

    /// Takes a place; none if all are taken.
    pub(crate) fn enter(&self, gid: &Gid) -> Option<Place<'_>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.count >= self.count_max {
            return None;
        }
        waiting.count += 1;
        let (settled, count) = waiting.by_gid.entry(gid.clone()).or_default();
        *count += 1;
        Some(Place {
            waiters: self,
            gid: gid.clone(),
            settled: Arc::clone(settled),
        })
    }

    /// Answers how those are woken who wait for this transaction, if anybody does.
    pub(crate) fn of(&self, gid: &Gid) -> Option<Arc<Notify>> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (settled, _) = waiting.by_gid.get(gid)?;
        Some(Arc::clone(settled))
    }
}

impl Place<'_> {
    /// Answers the notification to enable before the state is looked at.
    pub(crate) fn settled(&self) -> &Notify {
        &self.settled
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self
            .waiters
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.count -= 1;
        if let Some((_, count)) = waiting.by_gid.get_mut(&self.gid) {
            *count -= 1;
            if *count == 0 {
                waiting.by_gid.remove(&self.gid);
            }
        }
    }
}
