//! The places for connections: those that are served, and a few for clients who are only told why they aren't.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections beyond the bound that are still taken, only to be told so.
const TURNED_AWAY_MAX: usize = 16;

/// Why a connection was taken.
pub(crate) enum Admission {
    /// To be served.
    Served(OwnedSemaphorePermit),
    /// To be told that the server is full. Whoever looks after the server still gets his answers.
    TurnedAway(OwnedSemaphorePermit),
    /// To be told that the server stops; likewise.
    Late(OwnedSemaphorePermit),
}

/// The places of one server.
pub(crate) struct Places {
    served: Arc<Semaphore>,
    served_max: usize,
    turned_away: Arc<Semaphore>,
    wishes: Wishes,
}

impl Places {
    pub(crate) fn new(served_max: usize) -> Self {
        Self {
            served: Arc::new(Semaphore::new(served_max)),
            served_max,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
            wishes: Wishes::default(),
        }
    }

    /// Answers how many wait for a place of one that is served.
    pub(crate) fn wishes(&self) -> Wishes {
        self.wishes.clone()
    }

    /// Waits for a place of either kind. The semaphores are never closed.
    pub(crate) async fn take(&self) -> Option<Admission> {
        if let Ok(place) = Arc::clone(&self.served).try_acquire_owned() {
            return Some(Admission::Served(place));
        }
        tokio::select! {
            biased;
            place = Arc::clone(&self.served).acquire_owned() => place.ok().map(Admission::Served),
            place = Arc::clone(&self.turned_away).acquire_owned() => place.ok().map(Admission::TurnedAway),
        }
    }

    /// Waits for a place for one who comes while the server stops.
    pub(crate) async fn take_late(&self) -> Option<Admission> {
        let place = Arc::clone(&self.turned_away).acquire_owned().await;
        place.ok().map(Admission::Late)
    }

    /// Looks once more when the client has come: a served one may have left meanwhile.
    pub(crate) fn promote(&self, admission: Admission) -> Admission {
        match admission {
            Admission::Served(place) => Admission::Served(place),
            Admission::Late(place) => Admission::Late(place),
            Admission::TurnedAway(place) => match Arc::clone(&self.served).try_acquire_owned() {
                Ok(served) => Admission::Served(served),
                Err(_) => {
                    self.wishes.add(self.served_max);
                    Admission::TurnedAway(place)
                }
            },
        }
    }
}

/// How many clients were turned away for want of a place and have not been made room for: so many connections are closed
/// behind their next answer. Else those that came first would keep their places for ever, whether they need them or not.
#[derive(Clone, Default)]
pub(crate) struct Wishes(Arc<AtomicUsize>);

impl Wishes {
    /// Adds one, up to as many as there are places: more can't be closed.
    fn add(&self, places: usize) {
        let more = |count: usize| (count < places).then_some(count + 1);
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes one, if there is one.
    pub(crate) fn take(&self) -> bool {
        let less = |count: usize| count.checked_sub(1);
        self.0.load(Ordering::Relaxed) > 0
            && self
                .0
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
                .is_ok()
    }
}
