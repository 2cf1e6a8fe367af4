//! The least that a history can be kept in, for a record that has come to the bound of its store: there a transaction has to
//! go on, too.

use crate::event::{Answered, Event, Fact};
use crate::history::compact_to;
use crate::operation::Outcome;

/// The first and the last.
const ATTEMPTS_KEPT: usize = 2;

/// What stays of what a participant said, in bytes.
const REASON_BYTES_MAX: usize = 64;

/// Answers a history as short as can be that folds to the same state, but for the texts: of each operation the first and
/// the last attempt without a settling answer stay, and of each answer's text the beginning (64 bytes).
#[must_use]
pub fn compact_tightly(events: &[Event]) -> Vec<Event> {
    let mut events = compact_to(events, ATTEMPTS_KEPT);
    for event in &mut events {
        if let Fact::Answered(Answered {
            outcome: Outcome::Failure { reason } | Outcome::Unknown { reason },
            ..
        }) = &mut event.fact
        {
            *reason = reason.shortened(REASON_BYTES_MAX);
        }
    }
    events
}
