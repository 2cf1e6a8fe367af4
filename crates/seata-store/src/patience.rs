//! How long calls of an adapter have waited.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{StoreError, StoreErrorKind};

/// The engine gives up a call after so long.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);

/// The writes that an adapter has begun and not ended, for one that answers other calls from memory. While a write waits
/// for a disk that says nothing, those answers would tell the engine that the store is there, and each write that was given
/// up would leave a thread behind that waits as well.
///
/// ```
/// use seata_store::Waits;
///
/// let waits = Waits::default();
/// let waiting = waits.begin();
/// assert!(waits.check("asking the store").is_ok(), "not for long yet");
/// drop(waiting);
/// ```
#[derive(Debug, Default)]
pub struct Waits {
    /// In the order in which they began.
    begun: Mutex<Vec<Instant>>,
}

/// A write until it ends.
#[derive(Debug)]
#[must_use = "dropped, the write has ended"]
pub struct Waiting<'a> {
    waits: &'a Waits,
    begun: Instant,
}

impl Waits {
    fn begun(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a write that begins.
    pub fn begin(&self) -> Waiting<'_> {
        let mut all = self.begun();
        let begun = Instant::now();
        all.push(begun);
        Waiting { waits: self, begun }
    }

    /// Answers whether anybody is still served.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`]: a write has waited for longer than the engine does.
    pub fn check(&self, doing: &'static str) -> Result<(), StoreError> {
        let waited = self.begun().first().map(Instant::elapsed);
        match waited.filter(|waited| *waited > GIVEN_UP_AFTER) {
            None => Ok(()),
            Some(waited) => {
                let waited_secs = waited.as_secs();
                let why = format!("a write has waited for the disk for {waited_secs} s");
                Err(StoreError::new(StoreErrorKind::Unavailable, doing, why))
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut all = self.waits.begun();
        if let Some(at) = all.iter().position(|begun| *begun == self.begun) {
            all.remove(at);
        }
    }
}
