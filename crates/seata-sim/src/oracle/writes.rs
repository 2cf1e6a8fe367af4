//! Judges what is written: P5 (no way back), P6 (one writer), P7 (nothing open is forgotten).

use seata_core::{Event, Gid, Status};
use seata_store::{Append, Expected, Header, LeaseChange, Owner, Stored};

use crate::faults::{Counts, Takeover};
use crate::oracle::{Breach, Now, Oracle, Promise, Truth, tcc};

impl Oracle {
    /// Notes that an append is on its way to the store.
    pub(crate) fn appending(&mut self, owner: Owner, gid: &Gid) {
        self.appending.insert(gid.clone(), owner);
    }

    /// Notes that the store decided about an append without applying it.
    pub(crate) fn not_applied(&mut self, gid: &Gid) {
        self.appending.remove(gid);
    }

    /// Takes an append that the store applied, with its events.
    pub(crate) fn applied(
        &mut self,
        owner: Owner,
        append: &Append,
        events: &[Event],
        counts: &mut Counts,
        now: Now,
    ) {
        let gid = &append.gid;
        self.appending.remove(gid);
        let before = self.truths.get(gid).map(|truth| truth.header.clone());
        self.judge_writer(owner, append, counts, now);
        if let Err((promise, what)) = self.follow(append, events, now) {
            self.broken(promise, gid, now, what);
        }
        let header = after(before.as_ref(), append, now);
        if let Some(truth) = self.truths.get_mut(gid) {
            truth.header = header;
            truth.note_set_aside();
            truth.is_known_to(owner);
            match append.lease {
                LeaseChange::Take { .. } => truth.grant(owner, now.ms),
                LeaseChange::Release => truth.release(owner),
                LeaseChange::Keep => {}
            }
            tcc::count(truth, events, counts);
        }
        self.judge_state(gid, now);
    }

    fn follow(&mut self, append: &Append, events: &[Event], now: Now) -> Result<(), Breach> {
        let gid = &append.gid;
        let one_writer = |what| (Promise::P6, what);
        let rest = match (self.truths.contains_key(gid), events) {
            (true, events) => events,
            (false, [first, rest @ ..]) => {
                let truth = Truth::begin(after(None, append, now), first).map_err(one_writer)?;
                self.truths.insert(gid.clone(), truth);
                rest
            }
            (false, []) => return Err(one_writer("a record without events".to_owned())),
        };
        match (&append.chunk, self.truths.get_mut(gid)) {
            (seata_store::Chunk::Add(_), Some(truth)) => rest.iter().try_for_each(|event| {
                tcc::judge_fact(truth, event)?;
                truth.follow(event).map_err(one_writer)
            }),
            // A compacted history says nothing new but its last events.
            (seata_store::Chunk::Replace(_), Some(truth)) => {
                truth.follow_compacted(rest).map_err(one_writer)
            }
            (_, None) => Ok(()),
        }
    }

    /// A coordinator that lost its lease writes nothing.
    fn judge_writer(&mut self, owner: Owner, append: &Append, counts: &mut Counts, now: Now) {
        let gid = &append.gid;
        let Some(truth) = self.truths.get(gid) else {
            return;
        };
        let Expected::At { token, .. } = append.expected else {
            return;
        };
        let (standing, holder, living) = (
            truth.header.token,
            truth.header.owner,
            truth.header.is_leased(now.store),
        );
        if token != standing {
            let what = format!("an append under {token:?} was applied while {standing:?} stands");
            self.broken(Promise::P6, gid, now, what);
        }
        if let LeaseChange::Take { .. } = append.lease
            && let Some(old) = holder
            && old != owner
        {
            if living {
                self.broken(
                    Promise::P6,
                    gid,
                    now,
                    "a lease was taken that another holds".to_owned(),
                );
            }
            self.taken_over(gid, old, &[Takeover::ByOrder], counts);
        }
    }

    fn judge_state(&mut self, gid: &Gid, now: Now) {
        let Some(truth) = self.truths.get(gid) else {
            return;
        };
        let contradiction = truth.contradiction();
        let forgotten = match truth.header.status {
            Status::Prepared | Status::Submitted | Status::Aborting => {
                truth.header.wake_at.is_none()
            }
            Status::Committed | Status::Aborted | Status::Stuck => false,
        };
        if let Some(what) = contradiction {
            self.broken(Promise::P5, gid, now, what);
        }
        if forgotten {
            self.broken(
                Promise::P7,
                gid,
                now,
                "an open record carries no time to look at it".to_owned(),
            );
        }
    }

    /// Takes what the store leased out by a claim.
    pub(crate) fn claimed(&mut self, owner: Owner, stored: &Stored, counts: &mut Counts, now: Now) {
        let gid = &stored.header.gid;
        let old = self
            .truths
            .get(gid)
            .map(|truth| (truth.header.owner, truth.header.lease_until));
        if let Some((Some(old), Some(_))) = old
            && old != owner
        {
            self.taken_over(gid, old, &[], counts);
        }
        if let Some(truth) = self.truths.get_mut(gid) {
            truth.header = stored.header.clone();
            truth.is_known_to(owner);
            truth.grant(owner, now.ms);
        }
    }

    /// Takes a renewal that the store granted.
    pub(crate) fn renewed(&mut self, gid: &Gid, lasts: std::time::Duration, now: Now) {
        if let Some(truth) = self.truths.get_mut(gid) {
            truth.header.lease_until = Some(now.store.plus(lasts));
            if let Some(holder) = truth.header.owner {
                truth.grant(holder, now.ms);
            }
        }
    }

    fn taken_over(&self, gid: &Gid, old: Owner, phases: &[Takeover], counts: &mut Counts) {
        for phase in phases {
            counts.takeover(*phase);
        }
        let flying = self.has_call_since(gid, old);
        if flying {
            counts.takeover(Takeover::CallInFlight);
        }
        if self.left_try(gid, old) {
            counts.takeover(Takeover::Trying);
        }
        if self.appending.get(gid) == Some(&old) {
            counts.takeover(Takeover::AppendInFlight);
        }
        match self.truths.get(gid).map(|truth| truth.header.status) {
            Some(Status::Aborting) => counts.takeover(Takeover::Aborting),
            Some(Status::Prepared) => counts.takeover(Takeover::Prepared),
            Some(Status::Submitted) if !flying => counts.takeover(Takeover::Waiting),
            Some(Status::Submitted | Status::Committed | Status::Aborted | Status::Stuck)
            | None => {}
        }
    }
}

/// Answers the header as the contract says that it stands after an append, whether or not it should have been applied.
fn after(before: Option<&Header>, append: &Append, now: Now) -> Header {
    let expected = match before {
        Some(header) => Expected::At {
            revision: header.revision,
            token: header.token,
        },
        None => Expected::Absent,
    };
    let fitting = Append {
        expected,
        ..append.clone()
    };
    let unleased = before.map(|header| match append.lease {
        LeaseChange::Take { .. } => Header {
            lease_until: None,
            ..header.clone()
        },
        LeaseChange::Keep | LeaseChange::Release => header.clone(),
    });
    fitting
        .judge(unleased.as_ref(), now.store)
        .unwrap_or_else(|_| unreachable!("invariant: the condition was made to hold"))
}
