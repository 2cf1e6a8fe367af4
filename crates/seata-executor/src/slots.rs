//! Bounds on calls in flight, in all and per destination. First come, first served at each destination; slow ones hold
//! up nobody else.
//!
//! A destination that is full takes no place in all. Several together could still take all of them: so the last eighth
//! is left to those who have few, and the fewer are free the fewer one may have. What is left then falls as one over
//! the number of slow destinations, and not by a half with each.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The part of all places that is left to destinations which have few: one in so many.
const FEW_SHARE: usize = 8;

/// How many destinations may be remembered before the idle ones are forgotten.
const DESTINATIONS_KEPT_MAX: usize = 1_024;

/// How many wishes a destination may have before those that were given up are forgotten.
const WISHES_KEPT_MAX: usize = 64;

pub(crate) struct Slots(Arc<Shared>);

struct Shared {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct Bounds {
    per_destination: usize,
    /// How many places are left to destinations that have few.
    for_few: usize,
}

impl Bounds {
    /// Says whether a destination that has so many places may take one more while so many are free.
    const fn allow(self, taken: usize, free: usize) -> bool {
        free > 0
            && taken < self.per_destination
            && (free > self.for_few || taken * self.for_few < free * free)
    }
}

struct State {
    /// Places that nobody has.
    free: usize,
    /// The destinations in use, and some that were.
    by_name: HashMap<Arc<str>, Destination>,
    /// Those that have wishes, by how many places they have: whoever has the fewest is served first.
    wishing: BTreeSet<(usize, Arc<str>)>,
    /// At how many destinations the idle ones are forgotten: twice what was in use the last time, so that looking
    /// through all of them costs little per call even when most are in use.
    sweep_at: usize,
}

/// One destination. Invariant: it is in `wishing`, under `taken`, if and only if it has wishes.
struct Destination {
    taken: usize,
    wishes: VecDeque<oneshot::Sender<Permits>>,
    /// At how many wishes those that were given up are forgotten, as with destinations.
    sweep_at: usize,
}

/// The right to make one call.
pub(crate) struct Permits {
    slots: Arc<Shared>,
    destination: Arc<str>,
}

/// What came of asking.
enum Asked {
    Given(Permits),
    Wished(oneshot::Receiver<Permits>),
}

impl Slots {
    pub(crate) fn new(all: usize, per_destination: usize) -> Self {
        Self(Arc::new(Shared {
            bounds: Bounds {
                per_destination: per_destination.max(1),
                for_few: all / FEW_SHARE,
            },
            state: Mutex::new(State {
                free: all.max(1),
                by_name: HashMap::new(),
                wishing: BTreeSet::new(),
                sweep_at: DESTINATIONS_KEPT_MAX,
            }),
        }))
    }

    /// Waits for a place. Dropping the future gives up the place in the queue.
    pub(crate) async fn take(&self, destination: &str) -> Permits {
        let asked = self.0.ask(destination);
        match asked {
            Asked::Given(permits) => permits,
            Asked::Wished(granted) => granted
                .await
                .expect("invariant: a wish is kept until it is granted or given up"),
        }
    }

    /// Answers how many wait for a place at this destination, and some that have given up.
    pub(crate) fn waiting(&self, destination: &str) -> usize {
        let state = self.0.state();
        let known = state.by_name.get(destination);
        known.map_or(0, |one| one.wishes.len())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn permits(self: &Arc<Self>, destination: &Arc<str>) -> Permits {
        Permits {
            slots: Arc::clone(self),
            destination: Arc::clone(destination),
        }
    }

    fn ask(self: &Arc<Self>, name: &str) -> Asked {
        let mut state = self.state();
        let name = state.remembered(name);
        if state.take_at_once(&name, self.bounds) {
            return Asked::Given(self.permits(&name));
        }
        let (grant, granted) = oneshot::channel();
        state.wish(name, grant);
        Asked::Wished(granted)
    }

    /// Takes a place back, and gives those that are free now to whoever waits for one.
    fn give_back(self: &Arc<Self>, name: &Arc<str>) {
        let mut state = self.state();
        state.free += 1;
        state.count(name, |taken| taken - 1);
        let mut granted = Vec::new();
        while let Some((name, grant)) = state.grant(self.bounds) {
            granted.push((grant, self.permits(&name)));
        }
        drop(state);
        for (grant, permits) in granted {
            // Who gave up meanwhile gives the place back by that.
            drop(grant.send(permits));
        }
    }
}

impl State {
    /// Answers a destination by its one name.
    fn remembered(&mut self, name: &str) -> Arc<str> {
        if let Some((known, _)) = self.by_name.get_key_value(name) {
            return Arc::clone(known);
        }
        self.make_room();
        let name: Arc<str> = name.into();
        self.by_name
            .insert(Arc::clone(&name), Destination::default());
        name
    }

    /// Forgets destinations that nobody calls or waits for.
    fn make_room(&mut self) {
        if self.by_name.len() < self.sweep_at {
            return;
        }
        self.by_name
            .retain(|_, one| one.taken > 0 || !one.wishes.is_empty());
        self.sweep_at = DESTINATIONS_KEPT_MAX.max(2 * self.by_name.len());
        self.by_name.shrink_to(self.sweep_at);
    }

    fn of(&mut self, name: &Arc<str>) -> &mut Destination {
        self.by_name
            .get_mut(name)
            .expect("invariant: a destination in use is remembered")
    }

    /// Takes a place if there is one for this destination, and nobody waits for it.
    fn take_at_once(&mut self, name: &Arc<str>, bounds: Bounds) -> bool {
        let free = self.free;
        let one = self.of(name);
        let takes = one.wishes.is_empty() && bounds.allow(one.taken, free);
        if takes {
            one.taken += 1;
            self.free -= 1;
        }
        takes
    }

    fn wish(&mut self, name: Arc<str>, grant: oneshot::Sender<Permits>) {
        let one = self.of(&name);
        one.wish(grant);
        let taken = one.taken;
        self.wishing.insert((taken, name));
    }

    /// Changes how many places a destination has.
    fn count(&mut self, name: &Arc<str>, change: impl FnOnce(usize) -> usize) {
        let one = self.of(name);
        let before = one.taken;
        one.taken = change(before);
        let after = one.taken;
        if !one.wishes.is_empty() {
            self.wishing.remove(&(before, Arc::clone(name)));
            self.wishing.insert((after, Arc::clone(name)));
        }
    }

    /// Gives a place to whoever waits for the destination that has the fewest; to nobody if that one may not take any.
    fn grant(&mut self, bounds: Bounds) -> Option<(Arc<str>, oneshot::Sender<Permits>)> {
        loop {
            let (taken, name) = self.wishing.first()?.clone();
            if !bounds.allow(taken, self.free) {
                return None;
            }
            let one = self.of(&name);
            let grant = one.next_wish();
            if one.wishes.is_empty() {
                self.wishing.remove(&(taken, Arc::clone(&name)));
            }
            if let Some(grant) = grant {
                self.free -= 1;
                self.count(&name, |taken| taken + 1);
                return Some((name, grant));
            }
        }
    }
}

impl Default for Destination {
    fn default() -> Self {
        Self {
            taken: 0,
            wishes: VecDeque::new(),
            sweep_at: WISHES_KEPT_MAX,
        }
    }
}

impl Destination {
    fn wish(&mut self, grant: oneshot::Sender<Permits>) {
        if self.wishes.len() >= self.sweep_at {
            self.wishes.retain(|wish| !wish.is_closed());
            self.sweep_at = WISHES_KEPT_MAX.max(2 * self.wishes.len());
        }
        self.wishes.push_back(grant);
    }

    /// Answers the oldest wish that was not given up.
    fn next_wish(&mut self) -> Option<oneshot::Sender<Permits>> {
        loop {
            let wish = self.wishes.pop_front()?;
            if !wish.is_closed() {
                return Some(wish);
            }
        }
    }
}

impl Drop for Permits {
    fn drop(&mut self) {
        self.slots.give_back(&self.destination);
    }
}

#[cfg(test)]
mod tests;
