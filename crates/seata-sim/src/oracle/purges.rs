//! Judges what is purged, what is told of it afterwards, and names that are used again: P1.

use std::time::Duration;

use seata_core::Gid;
use seata_engine::Snapshot;
use seata_store::Header;

use crate::faults::{Counts, Fault};
use crate::oracle::{Now, Oracle, Promise};
use crate::participant::Participants;

impl Oracle {
    /// Takes what the store removed: only what has ended, and only after its retention.
    pub(crate) fn purged(
        &mut self,
        gone: &[Header],
        retention: Duration,
        counts: &mut Counts,
        now: Now,
    ) {
        for header in gone {
            let gid = &header.gid;
            counts.fault(Fault::Purge);
            if !header.status.is_final() {
                let what = format!("purged while it was {}", header.status);
                self.broken(Promise::P1, gid, now, what);
            }
            if header.updated_at.plus(retention) > now.store {
                let what = format!(
                    "purged {:?} after its end",
                    now.store.since(header.updated_at)
                );
                self.broken(Promise::P1, gid, now, what);
            }
            if let Some(truth) = self.truths.get_mut(gid) {
                truth.purged_ms = Some(now.ms);
            }
        }
    }

    pub(crate) fn is_purged(&self, gid: &Gid) -> bool {
        self.truths
            .get(gid)
            .is_some_and(|truth| truth.purged_ms.is_some())
    }

    /// Answers how often a name was used before.
    pub(crate) fn generation(&self, gid: &Gid) -> u32 {
        self.earlier.get(gid).map_or(0, |earlier| earlier.count)
    }

    /// Takes leave of a transaction that is purged and whose name is used again: its end is judged now.
    pub(crate) fn reused(&mut self, gid: &Gid, participants: &Participants, now: Now) {
        let Some(truth) = self.truths.remove(gid) else {
            return;
        };
        for (promise, what) in self.breaches_of(gid, &truth, participants) {
            self.broken(promise, gid, now, what);
        }
        let earlier = self.earlier.entry(gid.clone()).or_default();
        earlier.count += 1;
        earlier.purged_ms = truth.purged_ms.unwrap_or(now.ms);
        self.told.remove(gid);
        self.by_key.retain(|(of, _, _), _| of != gid);
        self.flying.remove(gid);
    }

    /// What was purged before somebody asked must not be told of.
    pub(super) fn judge_generation(
        &self,
        gid: &Gid,
        snapshot: &Snapshot,
        sent_ms: u64,
    ) -> Option<(Promise, String)> {
        let truth = self.truths.get(gid)?;
        let purged_ms = if snapshot.header.created_at == truth.header.created_at {
            truth.purged_ms?
        } else {
            self.earlier.get(gid)?.purged_ms
        };
        (purged_ms < sent_ms).then(|| {
            let what = format!(
                "a client was told {} of what had been purged before it asked",
                snapshot.status()
            );
            (Promise::P1, what)
        })
    }

    /// Answers whether an answer tells of an earlier transaction of this name that was still there when it was asked for.
    pub(super) fn is_of_earlier(&self, gid: &Gid, snapshot: &Snapshot, sent_ms: u64) -> bool {
        let present = self
            .truths
            .get(gid)
            .is_some_and(|truth| truth.header.created_at == snapshot.header.created_at);
        !present
            && self
                .earlier
                .get(gid)
                .is_some_and(|earlier| earlier.purged_ms >= sent_ms)
    }
}
