//! Judges what coordinators do, from outside: at the participants, at the clients and at the store. It checks the
//! promises P1 to P9 of docs/promises.md and knows nothing of what the engine holds in memory.
//!
//! `truth` is what the store holds, `writes` judges appends and leases, `calls` judges what reaches the network,
//! `sagas` and `tcc` what is called and recorded of each mode, `answers` judges what clients are told, `ends` judges where
//! everything came to, `causes` why.

mod answers;
mod bound;
mod calls;
mod causes;
mod clocks;
mod ends;
mod purges;
mod repeats;
mod sagas;
mod tcc;
mod truth;
mod writes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seata_core::{BranchId, Gid, Operation, UnixMillis};
use seata_store::Owner;
use tokio::sync::Notify;

use crate::plan::Knobs;

pub(crate) use answers::{Asked, Told};
pub(crate) use bound::Bound;
pub(crate) use calls::{CallEnd, Seen};
pub(crate) use clocks::StoreClock;
pub(crate) use truth::Truth;

/// The most violations that one run keeps.
const VIOLATIONS_MAX: usize = 30;

/// A promise of docs/promises.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// Accepted means durable.
    P1,
    /// Decision before effect.
    P2,
    /// All or nothing.
    P3,
    /// Silence is not a no.
    P4,
    /// No way back.
    P5,
    /// One writer.
    P6,
    /// It ends.
    P7,
    /// At least once, with a stable key; and the order of branches.
    P8,
    /// Bounded.
    P9,
}

/// Which promise is broken, and what was seen.
pub(crate) type Breach = (Promise, String);

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub promise: Promise,
    /// Of which transaction, if of one.
    pub gid: Option<Gid>,
    /// When, in ms of virtual time.
    pub at_ms: u64,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gid = self.gid.as_ref().map_or("-", Gid::as_str);
        write!(
            f,
            "{:?} at {} ms, {gid}: {}",
            self.promise, self.at_ms, self.what
        )
    }
}

/// One moment by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) ms: u64,
    pub(crate) store: UnixMillis,
}

/// Whether a process can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pulse {
    Alive,
    Frozen,
    /// It was told to stop.
    Stopping,
    Dead,
}

/// One start of one process, as seen from outside.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) pulse: Pulse,
    /// When something last went wrong with it or between it and the store.
    pub(crate) trouble_ms: u64,
    /// The same without appends whose answers were lost: what may cost it a lease, or what it knows.
    pub(crate) grave_ms: u64,
    /// When it last began to go on after it had stood still, or began at all.
    pub(crate) thawed_ms: u64,
    /// How far its clock has jumped in all: so much too early it may take a time for past.
    pub(crate) jumped_ms: u64,
}

/// What is remembered of a name that is used again.
#[derive(Debug, Clone, Copy, Default)]
struct Earlier {
    count: u32,
    /// When the last one was purged.
    purged_ms: u64,
}

/// Names one operation of one branch.
pub(crate) type Key = (Gid, BranchId, Operation);

/// Everything that was seen, and what was wrong with it.
#[derive(Debug)]
pub(crate) struct Oracle {
    lease_ms: u64,
    pub(crate) bound: Bound,
    pub(crate) truths: BTreeMap<Gid, Truth>,
    pub(crate) lives: BTreeMap<Owner, Life>,
    calls: BTreeMap<u64, Seen>,
    by_key: BTreeMap<Key, Vec<u64>>,
    flying: BTreeMap<Gid, Vec<u64>>,
    told: BTreeMap<Gid, Told>,
    sent: BTreeMap<Gid, answers::Sent>,
    /// Names that were used before, were purged and are used again.
    earlier: BTreeMap<Gid, Earlier>,
    clock: StoreClock,
    /// Until when something is wrong for everybody, those included who start meanwhile.
    trouble_ms: u64,
    /// Until when something is wrong for what is kept in the part of the store that dies.
    part_trouble_ms: u64,
    /// Appends that were handed over and neither applied nor refused.
    appending: BTreeMap<Gid, Owner>,
    pub(crate) violations: Vec<Violation>,
    /// Is told of every breach.
    pub(crate) found: Arc<Notify>,
}

impl Oracle {
    pub(crate) fn new(knobs: &Knobs, bound: Bound) -> Self {
        Self {
            lease_ms: knobs.lease_ms,
            bound,
            truths: BTreeMap::new(),
            lives: BTreeMap::new(),
            calls: BTreeMap::new(),
            by_key: BTreeMap::new(),
            flying: BTreeMap::new(),
            told: BTreeMap::new(),
            sent: BTreeMap::new(),
            earlier: BTreeMap::new(),
            clock: StoreClock::new(knobs),
            trouble_ms: 0,
            part_trouble_ms: 0,
            appending: BTreeMap::new(),
            violations: Vec::new(),
            found: Arc::default(),
        }
    }

    pub(crate) fn broken(&mut self, promise: Promise, gid: &Gid, now: Now, what: String) {
        self.found.notify_one();
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(Violation {
                promise,
                gid: Some(gid.clone()),
                at_ms: now.ms,
                what,
            });
        }
    }

    /// Notes a breach that belongs to no transaction.
    pub(crate) fn broken_bound(&mut self, now: Now, what: String) {
        self.found.notify_one();
        self.violations.push(Violation {
            promise: Promise::P9,
            gid: None,
            at_ms: now.ms,
            what,
        });
    }

    /// Notes a start.
    pub(crate) fn started(&mut self, owner: Owner, now: Now) {
        self.lives.insert(
            owner,
            Life {
                pulse: Pulse::Alive,
                trouble_ms: now.ms.max(self.trouble_ms),
                grave_ms: now.ms.max(self.trouble_ms),
                thawed_ms: now.ms,
                jumped_ms: 0,
            },
        );
    }

    /// Notes that a process goes on, stands still, stops or is dead.
    pub(crate) fn pulse(&mut self, owner: Owner, pulse: Pulse, now: Now) {
        if let Some(life) = self.lives.get_mut(&owner) {
            life.pulse = pulse;
            life.trouble_ms = life.trouble_ms.max(now.ms);
            life.grave_ms = life.grave_ms.max(now.ms);
            life.thawed_ms = now.ms;
        }
        if pulse == Pulse::Dead {
            self.died(owner, now);
        }
    }

    /// Notes that something goes wrong with a process until then: what it does in that time has an excuse.
    pub(crate) fn troubled(&mut self, owner: Owner, until_ms: u64) {
        self.lost_append(owner, until_ms);
        if let Some(life) = self.lives.get_mut(&owner) {
            life.grave_ms = life.grave_ms.max(until_ms);
        }
    }

    /// Notes that a process does not learn until then what became of an append. Its lease lives on, and it knows what it
    /// knew: nobody is called again for that.
    pub(crate) fn lost_append(&mut self, owner: Owner, until_ms: u64) {
        if let Some(life) = self.lives.get_mut(&owner) {
            life.trouble_ms = life.trouble_ms.max(until_ms);
        }
    }

    /// Notes that a process does not learn what became of its release of this lease.
    pub(crate) fn release_lost(&mut self, owner: Owner, gid: &Gid, now: Now) {
        if let Some(truth) = self.truths.get_mut(gid) {
            truth.release_lost(owner, now.ms);
        }
    }

    /// Notes that what is kept in the part of the store that dies can't be had until then.
    pub(crate) fn part_troubled(&mut self, until_ms: u64) {
        self.part_trouble_ms = self.part_trouble_ms.max(until_ms);
    }

    /// Notes that something is wrong for everybody until then.
    pub(crate) fn troubled_all(&mut self, until_ms: u64) {
        self.trouble_ms = self.trouble_ms.max(until_ms);
        for life in self.lives.values_mut() {
            life.trouble_ms = life.trouble_ms.max(until_ms);
            life.grave_ms = life.grave_ms.max(until_ms);
        }
    }

    /// Notes that the clock of a process jumps.
    pub(crate) fn jumped(&mut self, owner: Owner, by_ms: u64, now: Now) {
        self.troubled(owner, now.ms);
        if let Some(life) = self.lives.get_mut(&owner) {
            life.jumped_ms += by_ms;
        }
    }

    /// Answers the latest time that a process may take for the present when it looks at this transaction: its clock may
    /// have jumped, or that of whoever wrote last.
    fn latest_at(&self, gid: &Gid, owner: Owner, now: Now) -> UnixMillis {
        let jumped_ms = self.lives.get(&owner).map_or(0, |life| life.jumped_ms);
        let by_its_clock = now.store.plus(Duration::from_millis(jumped_ms));
        let written_at = self.truths.get(gid).map(|truth| truth.header.updated_at);
        by_its_clock.max(written_at.unwrap_or(by_its_clock))
    }

    fn is_untroubled(&self, owner: Owner, since_ms: u64) -> bool {
        self.lives
            .get(&owner)
            .is_some_and(|life| life.pulse == Pulse::Alive && life.trouble_ms < since_ms)
    }

    /// Answers whether nothing cost a process a lease since then, or what it knew: a lost answer to an append does not.
    fn leases_live_on(&self, owner: Owner, since_ms: u64) -> bool {
        self.lives
            .get(&owner)
            .is_some_and(|life| life.pulse == Pulse::Alive && life.grave_ms < since_ms)
    }

    pub(crate) fn is_alive(&self, owner: Owner) -> bool {
        self.lives
            .get(&owner)
            .is_some_and(|life| life.pulse != Pulse::Dead)
    }

    /// Answers whether another than this owner holds the lease of a transaction.
    pub(crate) fn is_stray(&self, gid: &Gid, owner: Owner, now: Now) -> bool {
        self.truths.get(gid).is_some_and(|truth| {
            truth.header.is_leased(now.store)
                && truth.header.owner.is_some_and(|holder| holder != owner)
        })
    }
}
