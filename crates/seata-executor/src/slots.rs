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
    destinations: Mutex<HashMap<Box<str>, Arc<Semaphore>>>,
}

/// The right to make one call.
pub(crate) struct Permits {
    _all: Option<OwnedSemaphorePermit>,
    _destination: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(all: usize, per_destination: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all)),
            per_destination,
            destinations: Mutex::default(),
        }
    }

    pub(crate) async fn take(&self, authority: &str) -> Permits {
        // The semaphores are never closed: without a permit there would be no bound, and nothing to wait for.
        let destination = self.destination(authority).acquire_owned().await.ok();
        let all = Arc::clone(&self.all).acquire_owned().await.ok();
        Permits {
            _all: all,
            _destination: destination,
        }
    }

    fn destination(&self, authority: &str) -> Arc<Semaphore> {
        let mut destinations = self
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = destinations.get(authority) {
            return Arc::clone(known);
        }
        if destinations.len() >= DESTINATIONS_KEPT_MAX {
            destinations.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        let fresh = Arc::new(Semaphore::new(self.per_destination));
        destinations.insert(authority.into(), Arc::clone(&fresh));
        fresh
    }
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
        for n in 0..5_000 {
            drop(slots.take(&format!("host-{n}:80")).now_or_never());
        }
        let destinations = slots
            .destinations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(destinations.len() <= DESTINATIONS_KEPT_MAX);
        assert!(destinations.contains_key("held:1"));
        drop(held);
    }
}
