//! Judges each call when it starts: P1, P6 and P9. `sagas`, `tcc` and `repeats` judge the rest.

use seata_core::{AttemptId, Gid, Operation, Outcome, UnixMillis};
use seata_store::Owner;

use crate::oracle::{Key, Now, Oracle, Promise, Pulse, Truth};
use crate::outage::is_in_dead_part;
use crate::participant::Participants;

/// How a call ended for the coordinator that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered(Outcome),
    /// It was given up before its time limit.
    Dropped,
    /// Its coordinator died.
    Died,
}

/// One call as the network saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) key: Key,
    pub(crate) attempt: AttemptId,
    pub(crate) owner: Owner,
    pub(crate) begun_ms: u64,
    /// Until when the call of a try lasts at most, as recorded.
    pub(crate) until: Option<UnixMillis>,
    pub(crate) end: Option<CallEnd>,
    /// Since when the same operation is in flight from another living server as well.
    pub(crate) overlap: Option<Overlap>,
}

/// The same operation is in flight from the holder of the lease and from another server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlap {
    at_ms: u64,
    /// By when the one that does not hold the lease has given it up.
    over_by_ms: u64,
}

impl Seen {
    const fn gid(&self) -> &Gid {
        &self.key.0
    }
}

impl Oracle {
    /// Judges a call that starts, and notes it.
    pub(crate) fn call_begun(
        &mut self,
        id: u64,
        seen: Seen,
        participants: &Participants,
        now: Now,
    ) {
        let gid = seen.gid().clone();
        for (promise, what) in self.judge_call(&seen, participants, now) {
            self.broken(promise, &gid, now, what);
        }
        let mut seen = self.with_limit(seen);
        if self.is_holder(&seen) {
            self.note_overlaps(&seen, now);
        } else {
            // Nobody who holds the lease is to blame for that: this one must give up.
            seen.overlap = Some(self.overlap(&seen, now));
        }
        self.by_key.entry(seen.key.clone()).or_default().push(id);
        self.flying.entry(gid).or_default().push(id);
        self.calls.insert(id, seen);
    }

    /// Notes how a call ended.
    pub(crate) fn call_ended(&mut self, id: u64, end: CallEnd, now: Now) {
        let Some(seen) = self.calls.get_mut(&id) else {
            return;
        };
        if seen.end.is_some() {
            return;
        }
        seen.end = Some(end.clone());
        let seen = seen.clone();
        if let Some(flying) = self.flying.get_mut(seen.gid()) {
            flying.retain(|other| *other != id);
        }
        self.judge_overlap(&seen, now);
        self.judge_limit(&seen, now);
        if end == CallEnd::Dropped {
            self.judge_drop(&seen, now);
        }
    }

    /// Notes that a process died: its calls ended with it.
    pub(crate) fn died(&mut self, owner: Owner, now: Now) {
        let its: Vec<u64> = self
            .flying
            .values()
            .flatten()
            .copied()
            .filter(|id| self.calls.get(id).is_some_and(|seen| seen.owner == owner))
            .collect();
        for id in its {
            self.call_ended(id, CallEnd::Died, now);
        }
    }

    /// Answers the calls in flight of one transaction from one process.
    pub(crate) fn flying_of<'a>(
        &'a self,
        gid: &Gid,
        owner: Owner,
    ) -> impl Iterator<Item = &'a Seen> + use<'a> {
        let ids = self.flying.get(gid).map(Vec::as_slice).unwrap_or_default();
        ids.iter()
            .filter_map(|id| self.calls.get(id))
            .filter(move |seen| seen.owner == owner)
    }

    /// Answers whether a process left a call of this transaction without an answer.
    pub(crate) fn has_call_since(&self, gid: &Gid, owner: Owner) -> bool {
        self.by_key
            .iter()
            .filter(|((of, _, _), _)| of == gid)
            .filter_map(|(_, ids)| ids.last().and_then(|id| self.calls.get(id)))
            .any(|seen| seen.owner == owner && !matches!(seen.end, Some(CallEnd::Answered(_))))
    }

    /// Answers whether a process left a try of this transaction without an answer.
    pub(crate) fn left_try(&self, gid: &Gid, owner: Owner) -> bool {
        let ids = self
            .by_key
            .iter()
            .filter(|((of, _, operation), _)| of == gid && *operation == Operation::Try);
        ids.filter_map(|(_, ids)| ids.last().and_then(|id| self.calls.get(id)))
            .any(|seen| seen.owner == owner && matches!(seen.end, None | Some(CallEnd::Died)))
    }

    fn judge_call(
        &self,
        seen: &Seen,
        participants: &Participants,
        now: Now,
    ) -> Vec<(Promise, String)> {
        let (gid, branch_id, operation) = &seen.key;
        let Some(truth) = self.truths.get(gid) else {
            return vec![(
                Promise::P1,
                "a branch was called before the transaction was durable".to_owned(),
            )];
        };
        let Some(branch) = truth.index(branch_id) else {
            return vec![(
                Promise::P1,
                format!("branch {branch_id} was called before it was durable"),
            )];
        };
        let mut breaches = Vec::new();
        breaches.extend(self.judge_caller(truth, seen, now));
        breaches.extend(match operation {
            Operation::Action => self.judge_action(truth, branch, participants, now),
            Operation::Compensation => {
                self.judge_compensation(truth, branch, seen.owner, participants)
            }
            Operation::Try => self.judge_try(truth, branch, seen, now),
            Operation::Confirm | Operation::Cancel => self.judge_settling(truth, branch, seen, now),
        });
        if operation.mode() != truth.definition.mode {
            let what = format!("branch {branch_id} was called with {operation}, of another mode");
            breaches.push((Promise::P3, what));
        }
        breaches.extend(self.judge_repeat(truth, branch, seen, now));
        breaches.extend(self.judge_width(truth, seen));
        breaches
    }

    /// P6: only who holds the lease calls, and only while at least half of it is left.
    fn judge_caller(&self, truth: &Truth, seen: &Seen, now: Now) -> Option<(Promise, String)> {
        let header = &truth.header;
        let half_ms = i128::from(self.lease_ms / 2);
        if self.is_misled_by_jump(truth, seen.owner, now) {
            return None;
        }
        if header.owner != Some(seen.owner) {
            let what = format!(
                "a call started under {:?} after another took the lease ({:?})",
                seen.attempt.token, header.token
            );
            return Some((Promise::P6, what));
        }
        let left_ms = header
            .lease_until
            .map_or(0, |until| i128::from(until.0) - i128::from(now.store.0));
        (left_ms < half_ms).then(|| {
            (
                Promise::P6,
                format!(
                    "a call started with {left_ms} ms of the lease left, under half of {} ms",
                    self.lease_ms
                ),
            )
        })
    }

    fn judge_width(&self, truth: &Truth, seen: &Seen) -> Option<(Promise, String)> {
        let flying = self.flying_of(seen.gid(), seen.owner).count();
        let width =
            usize::try_from(truth.definition.options.branch_parallelism).unwrap_or(usize::MAX);
        (flying >= width).then(|| {
            (
                Promise::P9,
                format!("a call started while {flying} of at most {width} were in flight"),
            )
        })
    }

    /// A call was given up although nothing was wrong: then the branch is called twice for nothing.
    fn judge_drop(&mut self, seen: &Seen, now: Now) {
        let Some(truth) = self.truths.get(seen.gid()) else {
            return;
        };
        let since_ms = now.ms.saturating_sub(2 * self.lease_ms);
        let completed = truth
            .index(&seen.key.1)
            .is_some_and(|branch| truth.completed.contains_key(&(branch, seen.key.2)));
        let part_is_dead = is_in_dead_part(seen.gid()) && self.part_trouble_ms >= since_ms;
        let excused = truth.is_overridden()
            || completed
            || part_is_dead
            || self.is_at_limit(seen, now)
            || truth.may_have_released(seen.owner, seen.begun_ms);
        if excused || !self.leases_live_on(seen.owner, since_ms) {
            return;
        }
        let what = format!(
            "the {} of {} was given up after {} ms although its coordinator was well",
            seen.key.2,
            seen.key.1,
            now.ms - seen.begun_ms
        );
        let gid = seen.gid().clone();
        self.broken(Promise::P8, &gid, now, what);
    }

    fn is_holder(&self, seen: &Seen) -> bool {
        let truth = self.truths.get(seen.gid());
        truth.is_some_and(|truth| truth.header.owner == Some(seen.owner))
    }

    /// Notes which calls of other living holders are in flight for the same operation.
    fn note_overlaps(&mut self, seen: &Seen, now: Now) {
        let alive = |owner: &Owner| {
            let life = self.lives.get(owner);
            life.is_some_and(|life| life.pulse == Pulse::Alive)
        };
        let ids = self.by_key.get(&seen.key).into_iter().flatten();
        let overlaps: Vec<(u64, Overlap)> = ids
            .filter_map(|id| Some((*id, self.calls.get(id)?)))
            .filter(|(_, other)| other.end.is_none() && other.owner != seen.owner)
            .filter(|(_, other)| alive(&other.owner))
            .map(|(id, other)| (id, self.overlap(other, now)))
            .collect();
        for (id, overlap) in overlaps {
            if let Some(other) = self.calls.get_mut(&id) {
                other.overlap.get_or_insert(overlap);
            }
        }
    }

    /// At once, unless the store's clock jumped while this server held its lease: then at the end of that, by real time.
    fn overlap(&self, seen: &Seen, now: Now) -> Overlap {
        let truth = self.truths.get(seen.gid());
        let end_ms = truth.and_then(|truth| self.lease_end_by_real_time(truth, seen.owner, now.ms));
        Overlap {
            at_ms: now.ms,
            over_by_ms: now.ms.max(end_ms.unwrap_or(0)),
        }
    }

    /// A living holder must have given its call up by the time at which another may begin.
    fn judge_overlap(&mut self, seen: &Seen, now: Now) {
        const GRACE_MS: u64 = 5;
        let Some(overlap) = seen.overlap else {
            return;
        };
        let stood_still = self.lives.get(&seen.owner).is_none_or(|life| {
            life.pulse != Pulse::Alive || life.thawed_ms + GRACE_MS > overlap.at_ms
        });
        if now.ms <= overlap.over_by_ms + GRACE_MS || stood_still {
            return;
        }
        let what = format!(
            "the {} of {} was in flight from two living holders at once",
            seen.key.2, seen.key.1
        );
        let gid = seen.gid().clone();
        self.broken(Promise::P8, &gid, now, what);
    }
}
