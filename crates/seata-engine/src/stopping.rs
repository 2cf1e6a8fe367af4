//! Whether the engine stops: told once, to everyone who waits for it.
//!
//! `tokio::sync::watch` would do, but it wakes its receivers in an order drawn at random, and then the same seed of the
//! simulation would not tell the same story twice.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Stopping {
    /// The boot time at which calls must have ended, once the stop has begun.
    calls_end_at: OnceLock<Duration>,
    begins: Notify,
    /// Whether nothing is claimed any more, and all that was claimed was given to its drivers or back.
    claims_ended: AtomicBool,
}

impl Stopping {
    /// Tells everyone, from now on. Answers the boot time at which calls must have ended: the first stop's.
    pub(crate) fn begin(&self, calls_end_at: Duration) -> Duration {
        let calls_end_at = *self.calls_end_at.get_or_init(|| calls_end_at);
        self.begins.notify_waiters();
        calls_end_at
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.calls_end_at().is_some()
    }

    /// Answers when calls must have ended. None: the engine doesn't stop.
    pub(crate) fn calls_end_at(&self) -> Option<Duration> {
        self.calls_end_at.get().copied()
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

    /// Waits for something, at most until the stop begins.
    pub(crate) async fn cuts_short(&self, wait: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.begun() => {}
            () = wait => {}
        }
    }

    /// Takes note that nothing will be claimed any more.
    pub(crate) fn end_claims(&self) {
        self.claims_ended.store(true, Ordering::Release);
    }

    pub(crate) fn have_claims_ended(&self) -> bool {
        self.claims_ended.load(Ordering::Acquire)
    }
}
