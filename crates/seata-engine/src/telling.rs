//! What an operator is told of the moves of transactions, in the metrics and the log. A move whose append's answer was lost
//! is told of once the record shows it, unless the record has moved on by then.

use seata_core::{Status, UnixMillis};
use seata_store::{Append, Header, Refusal};

use crate::shared::Shared;

/// What an append does to a record.
#[derive(Debug, Clone)]
pub(crate) struct Moved {
    before: Option<Status>,
    pub(crate) after: Header,
}

impl Moved {
    /// Judges an append as the store does that applies it.
    pub(crate) fn by(
        append: &Append,
        stored: Option<&Header>,
        now: UnixMillis,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            before: stored.map(|header| header.status),
            after: append.judge(stored, now)?,
        })
    }

    /// Answers whether anybody is told of it.
    fn is_told(&self) -> bool {
        let status = self.after.status;
        (status.is_final() || status == Status::Stuck) && self.before != Some(status)
    }

    /// Answers whether the record came of it. When it was decided tells it from what was sent in its place, by this server
    /// or by another.
    pub(crate) fn led_to(&self, stored: &Header) -> bool {
        let what = |header: &Header| {
            (
                header.revision,
                header.token,
                header.status,
                header.updated_at,
            )
        };
        what(&self.after) == what(stored)
    }

    /// Answers whether the record can't come of it any more, if it hasn't.
    pub(crate) fn is_settled_by(&self, stored: &Header) -> bool {
        stored.revision >= self.after.revision
    }
}

impl Shared {
    /// Tells of a move that is durable.
    pub(crate) fn tell(&self, moved: &Moved) {
        let Moved { before, after } = moved;
        // What was sent before it was not applied.
        drop(self.unsettled.saw(after));
        if after.status == Status::Stuck && *before != Some(Status::Stuck) {
            // Its reason may hold what a participant said: that is in the transaction alone.
            tracing::error!(gid = %after.gid, "a transaction is STUCK: a person must decide");
        }
        let lived = after.updated_at.since(after.created_at);
        self.meters.moved(after.mode, *before, after.status, lived);
    }

    /// Takes note that the answer to an append was lost.
    pub(crate) fn doubt(&self, moved: Moved) {
        if moved.is_told() {
            self.unsettled.doubt(moved);
        }
    }

    /// Takes note of a record as it is stored, and tells of the append in doubt that it came of.
    pub(crate) fn saw(&self, stored: &Header) {
        if let Some(moved) = self.unsettled.saw(stored) {
            self.tell(&moved);
        }
    }
}
