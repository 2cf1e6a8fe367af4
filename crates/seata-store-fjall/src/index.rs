//! What is open, and what ended a moment ago, in memory; and who must be looked at when.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use seata_store::{Chunk, ClaimLimit, FencingToken, Gid, Header, Held, LeaseChange, UnixMillis};

use crate::active::{Active, OVERHEAD_BYTES, lease_after, wake_at};
use crate::claim::Lease;
use crate::waiting::{Waiting, Waits};

/// What memory knows of a transaction.
pub(crate) enum Known {
    Active(Arc<Active>),
    Waiting(Waits),
    /// There is none, or it has ended and memory has forgotten it.
    Nothing,
}

/// An active transaction.
#[derive(Debug)]
enum Slot {
    Still(Arc<Active>),
    /// An append to it is being written: the lease must not change hands meanwhile.
    Appending(Arc<Active>),
    /// Its first append is being written. Nobody else may know of it yet.
    Creating,
}

impl Slot {
    const fn active(&self) -> Option<&Arc<Active>> {
        match self {
            Self::Still(active) | Self::Appending(active) => Some(active),
            Self::Creating => None,
        }
    }

    const fn active_mut(&mut self) -> Option<&mut Arc<Active>> {
        match self {
            Self::Still(active) | Self::Appending(active) => Some(active),
            Self::Creating => None,
        }
    }
}

/// One that may be claimed.
pub(crate) struct Due {
    pub(crate) wake_at: UnixMillis,
    pub(crate) gid: Gid,
    /// None: it is active.
    pub(crate) waits: Option<Waits>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    active: HashMap<Gid, Slot>,
    waiting: Waiting,
    /// Nothing active is due before. So most claims look at no active one, and no append keeps them in order.
    active_due_from: UnixMillis,
    /// How much memory is to be won by settling.
    unsettled_bytes: usize,
    /// What the log was given since settling last began.
    logged_bytes: usize,
}

impl Index {
    pub(crate) fn get(&self, gid: &Gid) -> Known {
        if let Some(slot) = self.active.get(gid) {
            return slot
                .active()
                .map_or(Known::Nothing, |active| Known::Active(Arc::clone(active)));
        }
        self.waiting.get(gid).map_or(Known::Nothing, Known::Waiting)
    }

    #[cfg(test)]
    pub(crate) const fn unsettled_bytes(&self) -> usize {
        self.unsettled_bytes
    }

    /// Answers how much there is to settle: the memory that is to be won, or what the log was given, at a quarter of its
    /// weight. A history that is replaced again and again wins no memory, and a start reads each of its versions.
    pub(crate) fn due_bytes(&self) -> usize {
        self.unsettled_bytes.max(self.logged_bytes / 4)
    }

    /// Takes in one that waits, at open.
    pub(crate) fn wait(&mut self, gid: &Gid, waits: &Waits) {
        self.waiting.insert(gid, waits);
    }

    /// Makes one active that waited. None: it no longer waits as it did.
    pub(crate) fn wake(&mut self, header: Header, waits: &Waits) -> Option<Arc<Active>> {
        let gid = header.gid.clone();
        if self.waiting.get(&gid) != Some(*waits) {
            return None;
        }
        self.waiting.remove(&gid);
        let active = Arc::new(Active::woken(header, waits.settled, waits.bytes));
        if let Some(due_at) = active.due_at() {
            self.active_due_from = self.active_due_from.min(due_at);
        }
        self.active.insert(gid, Slot::Still(Arc::clone(&active)));
        Some(active)
    }

    /// Answers whether an append to it is being written.
    pub(crate) fn is_appending(&self, gid: &Gid) -> bool {
        match self.active.get(gid) {
            Some(Slot::Appending(_) | Slot::Creating) => true,
            Some(Slot::Still(_)) | None => false,
        }
    }

    /// Answers whether nothing has changed about an active transaction since it was looked up.
    pub(crate) fn is_still(&self, seen: &Arc<Active>) -> bool {
        let present = self.active.get(&seen.header.gid).and_then(Slot::active);
        present.is_some_and(|present| Arc::ptr_eq(present, seen))
    }

    /// Marks that an append is being written, so that no claim comes between its judgement and its end. Nothing may have
    /// changed since the judgement, and what waits must have been woken.
    pub(crate) fn begin_append(&mut self, gid: &Gid) {
        match self.active.get_mut(gid) {
            Some(slot) => {
                if let Slot::Still(active) = slot {
                    *slot = Slot::Appending(Arc::clone(active));
                }
            }
            None => {
                self.active.insert(gid.clone(), Slot::Creating);
            }
        }
    }

    /// Takes note of a written append. `before`: what the table of open ones has of the history, if this ends it.
    pub(crate) fn end_append(
        &mut self,
        lease: LeaseChange,
        chunk: &Chunk,
        mut header: Header,
        before: Vec<Bytes>,
    ) {
        let Some(slot) = self.active.get_mut(&header.gid) else {
            return;
        };
        let active = match std::mem::replace(slot, Slot::Creating) {
            Slot::Still(mut active) | Slot::Appending(mut active) => {
                header.lease_until =
                    lease_after(lease, header.lease_until, active.header.lease_until);
                self.unsettled_bytes -= active.unsettled_bytes();
                Arc::make_mut(&mut active).follow(header, chunk, before);
                active
            }
            Slot::Creating => Arc::new(Active::created(header, chunk)),
        };
        self.unsettled_bytes += active.unsettled_bytes();
        self.logged_bytes += OVERHEAD_BYTES + chunk.bytes().len();
        if let Some(due_at) = active.due_at() {
            self.active_due_from = self.active_due_from.min(due_at);
        }
        *slot = Slot::Still(active);
    }

    /// Begins to settle: answers all that settling changes something about.
    pub(crate) fn begin_settling(&mut self) -> Vec<Arc<Active>> {
        self.logged_bytes = 0;
        self.unsettled()
    }

    /// Answers all that settling changes something about.
    pub(crate) fn unsettled(&self) -> Vec<Arc<Active>> {
        let active = self.active.values().filter_map(Slot::active);
        active.filter(|one| one.can_settle()).cloned().collect()
    }

    /// Takes note that the tables have all that these say. Forgets those that have ended, and lets those wait whose
    /// lease nobody holds. No append is being written.
    pub(crate) fn settle(&mut self, moved: &[Arc<Active>]) {
        for one in moved {
            let gid = &one.header.gid;
            let Some(active) = self.active.get_mut(gid).and_then(Slot::active_mut) else {
                continue;
            };
            self.unsettled_bytes -= active.unsettled_bytes();
            if Arc::ptr_eq(active, one) && one.header.status.is_final() {
                self.active.remove(gid);
                continue;
            }
            let present = Arc::make_mut(active);
            present.settle(one);
            self.unsettled_bytes += present.unsettled_bytes();
            if let Some(waits) = waits(present) {
                self.active.remove(gid);
                self.waiting.insert(gid, &waits);
            }
        }
    }

    /// Answers the active ones that are not in the list of the tables, by their times of creation.
    pub(crate) fn unlisted(&self) -> Vec<(UnixMillis, Gid)> {
        let active = self.active.values().filter_map(Slot::active);
        let unlisted = active.filter(|one| one.settled().is_none());
        unlisted
            .map(|one| (one.header.created_at, one.header.gid.clone()))
            .collect()
    }

    /// Answers whether something that ended before a time is only in the log still.
    pub(crate) fn has_ended_before(&self, time: UnixMillis) -> bool {
        let mut active = self.active.values().filter_map(Slot::active);
        active.any(|one| one.header.status.is_final() && one.header.updated_at < time)
    }

    /// Answers whether something may be due: if not, nothing is.
    pub(crate) fn may_be_due(&self, now: UnixMillis) -> bool {
        self.active_due_from <= now || self.waiting.due(now).next().is_some()
    }

    /// Answers what may be claimed, the earliest wake-up first.
    pub(crate) fn due(&mut self, now: UnixMillis, limit: ClaimLimit) -> Vec<Due> {
        let mut due = self.active_due(now);
        let waiting = self.waiting.due(now).take(limit.count);
        due.extend(waiting.map(|(wake_at, gid, waits)| Due {
            wake_at,
            gid,
            bytes: waits.bytes,
            waits: Some(waits),
        }));
        due.sort_unstable_by(|one, other| {
            (one.wake_at, &one.gid).cmp(&(other.wake_at, &other.gid))
        });
        let (mut count, mut bytes) = (0, 0);
        due.retain(|one| {
            let taken = count < limit.count && bytes < limit.bytes;
            count += 1;
            bytes += one.bytes;
            taken
        });
        due
    }

    fn active_due(&mut self, now: UnixMillis) -> Vec<Due> {
        let mut due = Vec::new();
        if self.active_due_from > now {
            return due;
        }
        let mut from = UnixMillis(i64::MAX);
        for (gid, slot) in &self.active {
            let Some((active, due_at)) = slot.active().and_then(|one| Some((one, one.due_at()?)))
            else {
                continue;
            };
            from = from.min(due_at);
            if let (Slot::Still(_), true) = (slot, due_at <= now) {
                due.push(Due {
                    wake_at: wake_at(&active.header).unwrap_or(due_at),
                    gid: gid.clone(),
                    waits: None,
                    bytes: active.bytes(),
                });
            }
        }
        self.active_due_from = from;
        due
    }

    /// Leases out an active one, if it is due still.
    pub(crate) fn lease(&mut self, gid: &Gid, lease: Lease) -> Option<Arc<Active>> {
        let Some(Slot::Still(active)) = self.active.get_mut(gid) else {
            return None;
        };
        active.due_at().filter(|due_at| *due_at <= lease.now)?;
        lease.give(&mut Arc::make_mut(active).header);
        Some(Arc::clone(active))
    }

    /// Lets one that can't be read wait: it is told of again later.
    pub(crate) fn put_off(&mut self, gid: &Gid, wake_at: UnixMillis) {
        self.waiting.put_off(gid, wake_at);
    }

    /// Prolongs a lease. An append that is being written goes on.
    pub(crate) fn renew(
        &mut self,
        gid: &Gid,
        token: FencingToken,
        lasts: Duration,
        now: UnixMillis,
    ) -> Held {
        let Some(active) = self.active.get_mut(gid).and_then(Slot::active_mut) else {
            return Held::Lost;
        };
        let header = &active.header;
        if header.status.is_final() || header.token != token || header.lease_until.is_none() {
            return Held::Lost;
        }
        let header = &mut Arc::make_mut(active).header;
        header.lease_until = Some(now.plus(lasts));
        Held::Renewed(header.revision)
    }
}

/// Answers what memory keeps of one that may wait. None: something of it is in the log alone, or somebody may hold
/// its lease.
fn waits(active: &Active) -> Option<Waits> {
    let settled = active.settled()?;
    let rests = active.tail().is_empty() && active.header.lease_until.is_none();
    rests.then(|| Waits {
        settled,
        token: active.header.token,
        wake_at: wake_at(&active.header),
        bytes: active.bytes(),
    })
}
