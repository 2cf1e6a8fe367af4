//! What this server looks at again: transactions that are STUCK, as far as it knows, since other servers bring them on too,
//! and those with an append in doubt. It searches the store for the former, and those are what the gauge of STUCK tells.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use seata_core::Gid;
use seata_store::{Header, ListQuery, PAGE_MAX, Revision, Status, StoreError, StoreErrorKind};

use crate::shared::Shared;
use crate::telling::Moved;

/// The most that are known: the gauge tells no more.
const KNOWN_MAX: usize = 10_000;

/// The most appends of one transaction that are in doubt: each took as long as a store is given to answer.
const DOUBTS_MAX: usize = 8;

/// How long after each page of a search the next one is read: a store may keep millions that have ended.
const PAGE_PAUSE: Duration = Duration::from_millis(250);

/// How long after each search the next one begins. It finds what other servers left STUCK, and what was too much before.
const SEARCH_INTERVAL: Duration = Duration::from_secs(3_600);

/// How often some are looked at again, and how many: each is a whole record.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const LOOK_COUNT: usize = 50;

/// Which these are.
#[derive(Debug, Default)]
struct Known {
    /// Those that were STUCK, each at this revision.
    stuck: BTreeMap<Gid, Revision>,
    /// What appends came to, if they were applied: their answers were lost. An append is sent again as another one.
    doubts: BTreeMap<Gid, Vec<Moved>>,
}

pub(crate) struct Unsettled {
    known: Mutex<Known>,
    /// How many transactions these are: while there are none, nobody locks.
    count: AtomicUsize,
    gauge: Gauge,
}

impl Unsettled {
    pub(crate) fn new(gauge: Gauge) -> Self {
        Self {
            known: Mutex::default(),
            count: AtomicUsize::new(0),
            gauge,
        }
    }

    /// Takes note of a record as it is stored. Answers the append in doubt that it came of.
    pub(crate) fn saw(&self, stored: &Header) -> Option<Moved> {
        let is_stuck = stored.status == Status::Stuck;
        if !is_stuck && self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let gid = &stored.gid;
        self.change(|known| {
            // Whoever read this record may be late with it.
            let is_newer = |at: &Revision| *at > stored.revision;
            if !known.stuck.get(gid).is_some_and(is_newer) {
                known.stuck.remove(gid);
                if is_stuck && known.stuck.len() < KNOWN_MAX {
                    known.stuck.insert(gid.clone(), stored.revision);
                }
            }
            let mut doubts = known.doubts.remove(gid)?;
            let led_here = doubts.iter().position(|moved| moved.led_to(stored));
            let led_here = led_here.map(|at| doubts.swap_remove(at));
            doubts.retain(|moved| !moved.is_settled_by(stored));
            if !doubts.is_empty() {
                known.doubts.insert(gid.clone(), doubts);
            }
            led_here
        })
    }

    /// Takes note of an append whose answer was lost.
    pub(crate) fn doubt(&self, moved: Moved) {
        self.change(|known| {
            if known.doubts.len() < KNOWN_MAX {
                let doubts = known.doubts.entry(moved.after.gid.clone()).or_default();
                if doubts.len() < DOUBTS_MAX {
                    doubts.push(moved);
                }
            }
        });
    }

    fn forget(&self, gid: &Gid) {
        self.change(|known| {
            known.stuck.remove(gid);
            known.doubts.remove(gid);
        });
    }

    /// Answers some of those behind this one, in gid order; the first ones if there are none.
    fn next(&self, behind: Option<Gid>) -> Vec<Gid> {
        let known = self.lock();
        let some = |from: Bound<Gid>| {
            let range = (from, Bound::Unbounded);
            let stuck = known.stuck.range(range.clone()).map(|(gid, _)| gid);
            let doubts = known.doubts.range(range).map(|(gid, _)| gid);
            let all: BTreeSet<&Gid> = stuck
                .take(LOOK_COUNT)
                .chain(doubts.take(LOOK_COUNT))
                .collect();
            let some: Vec<Gid> = all.into_iter().take(LOOK_COUNT).cloned().collect();
            some
        };
        match behind.map(|gid| some(Bound::Excluded(gid))) {
            Some(next) if !next.is_empty() => next,
            Some(_) | None => some(Bound::Unbounded),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.lock();
        let answer = change(&mut known);
        let stuck = known.stuck.len();
        self.count
            .store(stuck + known.doubts.len(), Ordering::Relaxed);
        self.gauge
            .set(u32::try_from(stuck).map_or(f64::MAX, f64::from));
        answer
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Searches the whole store for what is STUCK, page by page, again and again.
pub(crate) async fn search_all(shared: Arc<Shared>) {
    loop {
        match search(&shared).await {
            Ok(0) => {}
            Ok(count) => tracing::error!(count, "transactions are STUCK: a person must decide"),
            Err(error) => {
                tracing::warn!(%error, "the search for what is STUCK broke off: what lies behind is not told of");
            }
        }
        tokio::time::sleep(SEARCH_INTERVAL).await;
    }
}

/// Answers how many were found.
async fn search(shared: &Shared) -> Result<usize, StoreError> {
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
                    shared.saw(header);
                }
                match page.next {
                    Some(cursor) => query.behind = Some(cursor),
                    None => return Ok(count),
                }
                tokio::time::sleep(PAGE_PAUSE).await;
            }
            // A part of the store may be away for long.
            Err(error) if error.kind == StoreErrorKind::Unavailable => {
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Looks again at some of those that are known, and at others the next time.
pub(crate) async fn look_again(shared: Arc<Shared>) {
    let mut last = None;
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        shared.outage.over().await;
        for gid in shared.unsettled.next(last.take()) {
            let looked = shared.load(&gid).await;
            match &looked {
                Ok(Some(stored)) => shared.saw(&stored.header),
                Ok(None) => shared.unsettled.forget(&gid),
                Err(_) => {}
            }
            last = Some(gid);
            if looked.is_err_and(|error| error.kind == StoreErrorKind::Unavailable) {
                // The others behind it have their turn next.
                break;
            }
        }
    }
}
