//! What this server appends, numbered and kept for a while, so that a watcher whose connection was cut can go on where
//! it was.
//!
//! No task fills it: the engine's own ring holds what nobody has looked at, and whoever looks moves it over here. So it
//! costs nothing until somebody watches for the first time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use seata_core::UnixMillis;
use seata_engine::{Change, Changes, Engine, EngineError};
use tokio::task::unconstrained;

/// How many changes are kept for those who come again.
const KEPT_MAX: usize = 4_096;

/// How many changes a watcher is given at once.
const GIVEN_MAX: usize = 64;

/// Between the server's start and the number of a change.
const MARK: char = '-';

/// A watcher's place in the feed of one run of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Tells one run of a server from another, whose numbers mean other changes.
    run: i64,
    /// The number of the last change that was told.
    number: u64,
}

impl Place {
    /// Reads what a client sends back.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (run, number) = text.split_once(MARK)?;
        let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_plain(run) || !is_plain(number) {
            return None;
        }
        Some(Self {
            run: i64::from_str_radix(run, 16).ok()?,
            number: number.parse().ok()?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}{MARK}{}", self.run, self.number)
    }
}

/// What a watcher finds behind its place.
pub(crate) enum Found {
    /// Changes, each with the place that it brings the watcher to; perhaps none yet.
    Changes(Vec<(Place, Change)>),
    /// Some changes are no longer kept. Those behind this place are.
    Gone {
        /// Where to go on, without what was lost.
        resume: Place,
    },
}

/// The changes of this run of the server.
pub(crate) struct Feed {
    run: i64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Holds the place in the engine's ring up to which changes were moved over; none: nobody has watched yet.
    moved: Option<Changes>,
    changes: VecDeque<Change>,
    /// The number of the last of them.
    last: u64,
}

impl Feed {
    /// Makes an empty feed. The time of the start tells it from that of any other run.
    pub(crate) fn new(started: UnixMillis) -> Self {
        Self {
            run: started.0,
            kept: Mutex::default(),
        }
    }

    /// Begins to keep changes, unless that was done before, and answers the place of the last one.
    ///
    /// # Errors
    /// There is no room for watchers.
    pub(crate) fn begin(&self, engine: &Engine) -> Result<Place, EngineError> {
        let mut kept = self.kept();
        match &kept.moved {
            Some(_) => kept.move_over(),
            None => kept.moved = Some(engine.watch()?),
        }
        Ok(self.place(kept.last))
    }

    /// Answers what is kept behind a place.
    pub(crate) fn behind(&self, place: Place) -> Found {
        let mut kept = self.kept();
        kept.move_over();
        let before_first = kept.last - kept.changes.len() as u64;
        if place.run != self.run || place.number < before_first || place.number > kept.last {
            return Found::Gone {
                resume: self.place(before_first),
            };
        }
        let skipped = usize::try_from(place.number - before_first).unwrap_or(usize::MAX);
        let numbered = (place.number + 1..).map(|number| self.place(number));
        let changes = kept.changes.iter().skip(skipped).take(GIVEN_MAX);
        Found::Changes(numbered.zip(changes.cloned()).collect())
    }

    fn place(&self, number: u64) -> Place {
        let run = self.run;
        Place { run, number }
    }

    /// A watcher that panicked has moved over each change wholly or not at all.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Moves over what came since. What the engine dropped meanwhile leaves a gap, and what is before it is of no use
    /// to anybody any more.
    fn move_over(&mut self) {
        let Some(moved) = &mut self.moved else { return };
        // Whatever the task has done before: what is there is taken now.
        while let Some(Some(next)) = unconstrained(moved.next()).now_or_never() {
            match next {
                Ok(change) => {
                    self.last += 1;
                    self.changes.push_back(change);
                    if self.changes.len() > KEPT_MAX {
                        self.changes.pop_front();
                    }
                }
                Err(lagged) => {
                    self.last += lagged.0;
                    self.changes.clear();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is() {
        let place = Place {
            run: 1_700_000_000_123,
            number: 42,
        };
        assert_eq!(place.to_string(), "18bcfe5687b-42");
        assert_eq!(Place::parse("18bcfe5687b-42"), Some(place));
        for bad in [
            "", "-", "42", "1-", "-1", "x-1", "1-x", "1-+2", "+1-2", "1-2-3", "1 - 2",
        ] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
