//! What is open and waits: all of it is in the table of open ones, and nobody holds its lease. Memory keeps as little as
//! finds it and wakes it, since there may be millions.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use seata_store::{FencingToken, Gid, Revision, UnixMillis};

use crate::active::Span;

/// No time: a time so early is kept as the millisecond behind it.
const NEVER: i64 = i64::MIN;

/// Below so many nothing is given back.
const SHRINK_MIN: usize = 4096;

/// One that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    pub(crate) settled: Span,
    /// It may be above the stored one: see `starts.rs`.
    pub(crate) token: FencingToken,
    /// None: for an operator.
    pub(crate) wake_at: Option<UnixMillis>,
    /// The bytes of the history.
    pub(crate) bytes: usize,
}

#[derive(Debug)]
struct Entry {
    /// A copy: it lies among its like, while the name itself came in among what is soon forgotten.
    gid: Box<str>,
    token: FencingToken,
    wake_at_ms: i64,
    last: Revision,
    /// How many chunks.
    count: u32,
    bytes: u32,
}

/// Where an entry is, with a part of its name's hash, so that growing looks at no entry.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u32,
    at: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Waiting {
    entries: Vec<Entry>,
    by_gid: HashTable<Place>,
    /// By wake-up.
    agenda: BTreeSet<(UnixMillis, u32)>,
    hasher: RandomState,
}

impl Entry {
    fn new(gid: &Gid, waits: &Waits) -> Self {
        Self {
            gid: gid.as_str().into(),
            token: waits.token,
            wake_at_ms: waits.wake_at.map_or(NEVER, |at| at.0.max(NEVER + 1)),
            last: waits.settled.last,
            count: capped(waits.settled.last.0 - waits.settled.first.0),
            bytes: u32::try_from(waits.bytes).unwrap_or(u32::MAX),
        }
    }

    fn gid(&self) -> Gid {
        Gid::parse(&self.gid).expect("invariant: it was one")
    }

    fn waits(&self) -> Waits {
        Waits {
            settled: Span {
                first: Revision(self.last.0 - u64::from(self.count)),
                last: self.last,
            },
            token: self.token,
            wake_at: self.wake_at(),
            bytes: usize::try_from(self.bytes).unwrap_or(usize::MAX),
        }
    }

    fn wake_at(&self) -> Option<UnixMillis> {
        (self.wake_at_ms != NEVER).then_some(UnixMillis(self.wake_at_ms))
    }
}

/// More than four thousand million chunks have no room in a history.
fn capped(count: u64) -> u32 {
    u32::try_from(count).expect("invariant: a history is bounded in bytes")
}

/// Spreads what is kept of a hash over 64 bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Waiting {
    fn hash(&self, gid: &str) -> u32 {
        let [a, b, c, d, ..] = self.hasher.hash_one(gid).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    fn place(&self, gid: &Gid) -> Option<Place> {
        let hash = self.hash(gid.as_str());
        let found = self.by_gid.find(spread(hash), |place| {
            place.hash == hash && *self.at(*place).gid == *gid.as_str()
        });
        found.copied()
    }

    fn at(&self, place: Place) -> &Entry {
        &self.entries[index(place.at)]
    }

    pub(crate) fn get(&self, gid: &Gid) -> Option<Waits> {
        self.place(gid).map(|place| self.at(place).waits())
    }

    /// Takes one in. Invariant: it is not there yet.
    pub(crate) fn insert(&mut self, gid: &Gid, waits: &Waits) {
        let hash = self.hash(gid.as_str());
        let at = u32::try_from(self.entries.len()).expect("invariant: memory ends before");
        let entry = Entry::new(gid, waits);
        if let Some(wake_at) = entry.wake_at() {
            self.agenda.insert((wake_at, at));
        }
        self.entries.push(entry);
        self.by_gid
            .insert_unique(spread(hash), Place { hash, at }, |place| spread(place.hash));
    }

    /// Takes one out. The last entry takes its place.
    pub(crate) fn remove(&mut self, gid: &Gid) -> Option<Waits> {
        let place = self.place(gid)?;
        self.forget(place);
        let last = u32::try_from(self.entries.len() - 1).expect("invariant: it was taken in");
        if last != place.at {
            let hash = self.hash(&self.entries[index(last)].gid);
            let moved = Place { hash, at: last };
            self.forget(moved);
            self.note(moved, place.at);
        }
        let entry = self.entries.swap_remove(index(place.at));
        self.shrink();
        Some(entry.waits())
    }

    /// Takes what leads to an entry away.
    fn forget(&mut self, place: Place) {
        let found = self
            .by_gid
            .find_entry(spread(place.hash), |other| other.at == place.at);
        if let Ok(found) = found {
            found.remove();
        }
        if let Some(wake_at) = self.at(place).wake_at() {
            self.agenda.remove(&(wake_at, place.at));
        }
    }

    /// Leads to an entry at the place to which it moves.
    fn note(&mut self, from: Place, at: u32) {
        if let Some(wake_at) = self.at(from).wake_at() {
            self.agenda.insert((wake_at, at));
        }
        let place = Place { at, ..from };
        self.by_gid
            .insert_unique(spread(place.hash), place, |place| spread(place.hash));
    }

    /// Gives memory back, half of it at a time.
    fn shrink(&mut self) {
        let half = self.entries.capacity() / 2;
        if half > SHRINK_MIN && self.entries.len() < half / 2 {
            self.entries.shrink_to(half);
            self.by_gid.shrink_to(half, |place| spread(place.hash));
        }
    }

    /// Wakes one later, or never.
    pub(crate) fn put_off(&mut self, gid: &Gid, wake_at: UnixMillis) {
        if let Some(waits) = self.remove(gid) {
            let later = Waits {
                wake_at: Some(wake_at),
                ..waits
            };
            self.insert(gid, &later);
        }
    }

    /// Answers those that are due, the earliest first.
    pub(crate) fn due(&self, now: UnixMillis) -> impl Iterator<Item = (UnixMillis, Gid, Waits)> {
        let due = self.agenda.iter().take_while(move |(at, _)| *at <= now);
        due.map(|(at, place)| {
            let entry = &self.entries[index(*place)];
            (*at, entry.gid(), entry.waits())
        })
    }
}

fn index(at: u32) -> usize {
    usize::try_from(at).expect("invariant: it is the place of an entry")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn gid(n: u64) -> Gid {
        Gid::parse(&format!("order-{n}")).unwrap()
    }

    fn waits(n: u64) -> Waits {
        let revision = Revision(n + 3);
        Waits {
            settled: Span {
                first: Revision(3),
                last: revision,
            },
            token: FencingToken(n),
            wake_at: (!n.is_multiple_of(3))
                .then(|| UnixMillis(-9 + i64::try_from(n).unwrap() % 100)),
            bytes: 100,
        }
    }

    #[test]
    fn what_waits_is_found_until_it_is_taken_out_and_wakes_in_order() {
        let count = 20_000;
        let mut waiting = Waiting::default();
        (0..count).for_each(|n| waiting.insert(&gid(n), &waits(n)));
        let mut left: BTreeSet<u64> = (0..count).collect();
        // In an order that is neither theirs nor the reverse.
        for n in (0..count).map(|n| n * 7_919 % count).take(19_000) {
            assert_eq!(waiting.remove(&gid(n)), Some(waits(n)));
            assert_eq!(waiting.remove(&gid(n)), None);
            left.remove(&n);
        }
        let due: Vec<_> = waiting.due(UnixMillis(i64::MAX)).collect();
        assert!(due.is_sorted_by_key(|(at, ..)| *at));
        let woken = left.iter().filter(|n| waits(**n).wake_at.is_some());
        assert_eq!(due.len(), woken.count());
        for n in left {
            assert_eq!(waiting.get(&gid(n)), Some(waits(n)));
        }
        assert!(waiting.entries.capacity() < 10_000, "memory is given back");
    }

    #[test]
    fn one_that_is_put_off_is_due_later() {
        let mut waiting = Waiting::default();
        waiting.insert(&gid(1), &waits(1));
        waiting.put_off(&gid(1), UnixMillis(50));
        assert_eq!(waiting.due(UnixMillis(49)).count(), 0);
        assert_eq!(waiting.due(UnixMillis(50)).count(), 1);
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 48, "{}", size_of::<Entry>());
        assert_eq!(size_of::<Place>(), 8);
    }
}
