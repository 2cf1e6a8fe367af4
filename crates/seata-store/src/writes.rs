//! The writes that an adapter has begun and not ended.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{StoreError, StoreErrorKind};

/// The engine gives up a call after so long, unless it is told otherwise.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(2);

/// The writes that an adapter has begun and not ended, for one that answers other calls from memory. While a write waits
/// for a disk that says nothing, those answers would tell the engine that the store is there, and each write that was given
/// up would leave a thread behind that waits as well.
///
/// ```
/// use seata_store::Writes;
///
/// let writes = Writes::default();
/// let writing = writes.begin();
/// assert!(writes.check("asking the store").is_ok(), "not for long yet");
/// drop(writing);
/// ```
#[derive(Debug, Default)]
pub struct Writes {
    /// In the order in which they began.
    begun: Mutex<Vec<Instant>>,
}

/// A write until it ends.
#[derive(Debug)]
#[must_use = "dropped, the write has ended"]
pub struct Writing<'a> {
    writes: &'a Writes,
    begun: Instant,
}

impl Writes {
    fn begun(&self) -> MutexGuard<'_, Vec<Instant>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a write that begins.
    pub fn begin(&self) -> Writing<'_> {
        let mut all = self.begun();
        let begun = Instant::now();
        all.push(begun);
        Writing {
            writes: self,
            begun,
        }
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

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut all = self.writes.begun();
        if let Some(at) = all.iter().position(|begun| *begun == self.begun) {
            all.remove(at);
        }
    }
}
