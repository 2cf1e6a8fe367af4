//! Whether the engine stops: told once, to everyone who waits for it.
//!
//! `tokio::sync::watch` would do, but it wakes its receivers in an order drawn at random, and then the same seed of the
//! simulation would not tell the same story twice.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Stopping {
    begun: AtomicBool,
    begins: Notify,
}

impl Stopping {
    /// Tells everyone, from now on.
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::SeqCst);
        self.begins.notify_waiters();
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::SeqCst)
    }

    /// Waits until the stop begins. Those who came first are told first.
    pub(crate) async fn begun(&self) {
        let begins = self.begins.notified();
        tokio::pin!(begins);
        begins.as_mut().enable();
        if !self.has_begun() {
            begins.await;
        }
    }
}
