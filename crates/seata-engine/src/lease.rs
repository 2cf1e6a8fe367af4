//! One lease as its holder knows it: by the boot-time clock, from before the claim or renewal was sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use seata_core::FencingToken;
use seata_core::planted::{self, Planted};
use tokio::sync::Notify;

use crate::host::Clock;

/// A lease that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) token: FencingToken,
    /// When it ends at the earliest, by the boot-time clock.
    pub(crate) until: Duration,
}

/// A lease, shared by the driver, its calls and the renewal.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    held: Mutex<Option<Held>>,
    /// A release is on its way to the store: no call may begin.
    held_back: AtomicBool,
    changed: Notify,
}

impl Lease {
    pub(crate) fn held(&self) -> Option<Held> {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, held: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        self.changed.notify_waiters();
    }

    /// Lets no call begin while the store is asked to release the lease.
    pub(crate) fn hold_back(&self) {
        self.held_back.store(true, Ordering::Relaxed);
    }

    /// Lets calls begin again, if the lease is still held.
    pub(crate) fn go_on(&self) {
        self.held_back.store(false, Ordering::Relaxed);
        self.changed.notify_waiters();
    }

    /// Prolongs the lease if it is still the one that was renewed.
    pub(crate) fn renewed(&self, token: FencingToken, until: Duration) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_mut()
            && held.token == token
        {
            held.until = held.until.max(until);
        }
        drop(held);
        self.changed.notify_waiters();
    }

    /// Gives the lease up if it is still the one that was found lost. Answers whether it was.
    pub(crate) fn lost(&self, token: FencingToken) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = held.is_some_and(|held| held.token == token);
        if mine {
            *held = None;
        }
        drop(held);
        self.changed.notify_waiters();
        mine
    }

    /// Waits until it isn't held.
    pub(crate) async fn gone(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.held().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until a call may start: at least half of the lease is left. The driver drops the call if that never comes.
    pub(crate) async fn fresh(&self, token: FencingToken, lasts: Duration, clock: &dyn Clock) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let enough = self.held().is_some_and(|held| {
                held.token >= token && held.until.saturating_sub(clock.boot()) >= lasts / 2
            }) && !self.held_back.load(Ordering::Relaxed);
            if enough || planted::is(Planted::CallAfterLostLease) {
                return;
            }
            changed.await;
        }
    }
}
