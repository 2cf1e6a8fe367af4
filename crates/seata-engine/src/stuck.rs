//! Which transactions are STUCK, as far as this server knows: those that it found after its start, and those that it saw
//! become so. It looks at them again from time to time, since other servers bring them on too.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use seata_core::Gid;
use seata_store::{ListQuery, PAGE_MAX, Revision, Status, StoreError, StoreErrorKind};

use crate::shared::Shared;

/// The most that are known: the gauge tells no more.
const KNOWN_MAX: usize = 10_000;

/// How long after each page of the search the next one is read: a store may keep millions that have ended.
const PAGE_PAUSE: Duration = Duration::from_millis(250);

/// How often some are looked at again, and how many: each is a whole record.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
const LOOK_COUNT: usize = 20;

/// Those that are known, each with the revision at which it was STUCK.
pub(crate) struct Stuck {
    known: Mutex<BTreeMap<Gid, Revision>>,
    /// How many these are: nearly always none, and then nobody locks.
    count: AtomicUsize,
    gauge: Gauge,
}

impl Stuck {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self {
            known: Mutex::default(),
            count: AtomicUsize::new(0),
            gauge,
        }
    }

    /// Takes note of what a record says.
    pub(crate) fn saw(&self, gid: &Gid, status: Status, revision: Revision) {
        let is_stuck = status == Status::Stuck;
        if !is_stuck && self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        self.change(|known| {
            if !is_stuck {
                known.remove(gid);
            } else if known.len() < KNOWN_MAX {
                known.insert(gid.clone(), revision);
            }
        });
    }

    /// Takes note that one which was known by this revision is not STUCK any more. It may have become so again meanwhile.
    fn moved_on(&self, gid: &Gid, revision: Revision) {
        self.change(|known| {
            if known.get(gid) == Some(&revision) {
                known.remove(gid);
            }
        });
    }

    /// Answers some of those behind this one, in gid order.
    fn behind(&self, gid: Option<&Gid>) -> Vec<(Gid, Revision)> {
        let from = gid.map_or(Bound::Unbounded, Bound::Excluded);
        let known = self.lock();
        let some = known.range::<Gid, _>((from, Bound::Unbounded));
        some.take(LOOK_COUNT)
            .map(|(gid, revision)| (gid.clone(), *revision))
            .collect()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Gid, Revision>)) {
        let mut known = self.lock();
        change(&mut known);
        self.count.store(known.len(), Ordering::Relaxed);
        self.gauge
            .set(u32::try_from(known.len()).map_or(f64::MAX, f64::from));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Gid, Revision>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Searches the whole store for what was STUCK before this start, page by page.
pub(crate) async fn find(shared: Arc<Shared>) {
    match found(&shared).await {
        Ok(0) => {}
        Ok(count) => {
            tracing::warn!(
                count,
                "transactions were STUCK before this start: a person must decide"
            );
        }
        Err(error) => {
            tracing::warn!(%error, "what was STUCK before this start can't be told: seata_stuck_transactions is too low");
        }
    }
}

async fn found(shared: &Shared) -> Result<usize, StoreError> {
    let mut query = ListQuery::newest(PAGE_MAX);
    query.status = vec![Status::Stuck];
    let mut count = 0;
    loop {
        shared.outage.over().await;
        let page = shared.store.list(&query);
        match shared.ask("searching for what is STUCK", page).await {
            Ok(page) => {
                count += page.items.len();
                for header in &page.items {
                    shared
                        .stuck
                        .saw(&header.gid, header.status, header.revision);
                }
                match page.next {
                    Some(cursor) => query.behind = Some(cursor),
                    None => return Ok(count),
                }
            }
            Err(error) if error.kind == StoreErrorKind::Unavailable => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(PAGE_PAUSE).await;
    }
}

/// Looks again at some of those that are known, and at others the next time.
pub(crate) async fn look_again(shared: Arc<Shared>) {
    let mut last: Option<Gid> = None;
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        shared.outage.over().await;
        let some = shared.stuck.behind(last.as_ref());
        last = some.last().map(|(gid, _)| gid.clone());
        for (gid, revision) in some {
            match shared.load(&gid).await {
                Ok(Some(stored)) if stored.header.status == Status::Stuck => {}
                Ok(Some(_) | None) => shared.stuck.moved_on(&gid, revision),
                Err(_) => break,
            }
        }
    }
}
