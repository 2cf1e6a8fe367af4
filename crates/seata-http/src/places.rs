//! The places for connections: those that are served, and a few for clients who are only told why they aren't.

use std::sync::Arc;

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
    turned_away: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(served_max: usize) -> Self {
        Self {
            served: Arc::new(Semaphore::new(served_max)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
        }
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
                Err(_) => Admission::TurnedAway(place),
            },
        }
    }
}
