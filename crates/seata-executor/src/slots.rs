//! Bounds on calls in flight, in all and per destination. First come, first served at each destination; a slow one
//! holds up nobody else, because a place in all is taken only once its own is free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many destinations may be remembered before the idle ones are forgotten.
const DESTINATIONS_KEPT_MAX: usize = 1_024;

pub(crate) struct Slots {
    all: Arc<Semaphore>,
    per_destination: usize,
    destinations: Mutex<Destinations>,
}

/// The destinations in use, and some that were.
struct Destinations {
    by_name: HashMap<Box<str>, Arc<Semaphore>>,
    /// At how many the idle ones are forgotten: twice what was in use the last time, so that looking through all of
    /// them costs little per call even when most are in use.
    sweep_at: usize,
}

/// The right to make one call.
pub(crate) struct Permits {
    _all: OwnedSemaphorePermit,
    _destination: OwnedSemaphorePermit,
}

impl Slots {
    pub(crate) fn new(all: usize, per_destination: usize) -> Self {
        Self {
            all: bounded(all),
            per_destination,
            destinations: Mutex::new(Destinations {
                by_name: HashMap::new(),
                sweep_at: DESTINATIONS_KEPT_MAX,
            }),
        }
    }

    pub(crate) async fn take(&self, destination: &str) -> Permits {
        Permits {
            _destination: acquire(self.destination(destination)).await,
            _all: acquire(Arc::clone(&self.all)).await,
        }
    }

    fn destination(&self, name: &str) -> Arc<Semaphore> {
        let mut destinations = self
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = destinations.by_name.get(name) {
            return Arc::clone(known);
        }
        destinations.make_room();
        let fresh = bounded(self.per_destination);
        destinations.by_name.insert(name.into(), Arc::clone(&fresh));
        fresh
    }
}

impl Destinations {
    /// Forgets destinations that nobody calls or waits for: whoever does holds the semaphore too.
    fn make_room(&mut self) {
        if self.by_name.len() < self.sweep_at {
            return;
        }
        self.by_name
            .retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        self.sweep_at = DESTINATIONS_KEPT_MAX.max(2 * self.by_name.len());
        self.by_name.shrink_to(self.sweep_at);
    }
}

fn bounded(places: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)))
}

async fn acquire(semaphore: Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = semaphore.acquire_owned().await;
    permit.expect("invariant: these semaphores are never closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn a_full_destination_holds_up_nobody_else() {
        let slots = Slots::new(3, 2);
        let first: Vec<_> = (0..2)
            .filter_map(|_| slots.take("slow:80").now_or_never())
            .collect();
        assert_eq!(first.len(), 2);
        assert!(
            slots.take("slow:80").now_or_never().is_none(),
            "the destination is full"
        );
        let other = slots.take("fast:80").now_or_never();
        assert!(other.is_some());
        assert!(
            slots.take("fast:80").now_or_never().is_none(),
            "all are taken"
        );
        drop(other);
        assert!(slots.take("fast:80").now_or_never().is_some());
    }

    #[test]
    fn idle_destinations_are_forgotten() {
        let slots = Slots::new(10, 2);
        let held = slots.take("held:1").now_or_never();
        for n in 0..10_000 {
            drop(slots.take(&format!("host-{n}:80")).now_or_never());
        }
        let destinations = slots
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(destinations.by_name.len() <= DESTINATIONS_KEPT_MAX);
        assert!(destinations.by_name.contains_key("held:1"));
        drop(held);
    }

    #[test]
    fn places_are_given_in_the_order_of_asking_and_a_dropped_wish_gives_up_its_place() {
        let slots = Slots::new(10, 1);
        let held = slots.take("a:1").now_or_never();
        assert!(held.is_some());
        let mut wishes = [(); 3].map(|()| Box::pin(slots.take("a:1")));
        for wish in &mut wishes {
            assert!(wish.now_or_never().is_none());
        }
        let [first, mut second, mut third] = wishes;
        drop(first);
        drop(held);
        assert!((&mut third).now_or_never().is_none(), "the second is next");
        let given = (&mut second).now_or_never();
        assert!(given.is_some());
        drop(given);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn waiting_for_a_destination_takes_no_place_in_all() {
        let slots = Slots::new(2, 1);
        let held = slots.take("slow:1").now_or_never();
        let mut waiting = Box::pin(slots.take("slow:1"));
        assert!((&mut waiting).now_or_never().is_none());
        assert!(slots.take("fast:1").now_or_never().is_some());
        drop(held);
    }

    #[test]
    fn a_bound_of_nothing_still_lets_one_call_through() {
        assert!(Slots::new(0, 0).take("a:1").now_or_never().is_some());
    }
}
