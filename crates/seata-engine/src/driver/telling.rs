//! What an operator is told of a transaction's moves, in the metrics and the log: once for each, though the answer to its
//! append was lost.

use std::sync::Arc;

use seata_core::Status;
use seata_store::{Header, Refusal};

use crate::driver::Driver;
use crate::driver::append::Sent;
use crate::driver::plan::Plan;
use crate::driver::record::STORE_BACKOFF;

/// What an append does to the header.
#[derive(Debug, Clone)]
pub(super) struct Moved {
    before: Option<Status>,
    pub(super) after: Header,
}

impl Moved {
    /// Answers whether an operator is told of it.
    fn is_told(&self) -> bool {
        let status = self.after.status;
        (status.is_final() || status == Status::Stuck) && self.before != Some(status)
    }

    /// Answers whether the record that is stored came of it.
    fn led_to(&self, stored: &Header) -> bool {
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
}

impl Driver {
    /// Judges an append as the store does that applied it.
    pub(super) fn moved(&self, plan: &Plan, sent: &Sent) -> Result<Moved, Refusal> {
        let stored = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref());
        let after = sent.append.judge(stored, plan.now)?;
        Ok(Moved {
            before: stored.map(|header| header.status),
            after,
        })
    }

    /// Tells an operator of a durable move.
    pub(super) fn tell(&self, moved: &Moved) {
        let Moved { before, after } = moved;
        if after.status == Status::Stuck && *before != Some(Status::Stuck) {
            // Its reason may hold what a participant said: that is in the transaction alone.
            tracing::error!(gid = %after.gid, "a transaction is STUCK: a person must decide");
        }
        self.shared.meters.moved(
            after.mode,
            *before,
            after.status,
            after.updated_at.since(after.created_at),
        );
    }

    /// Takes note of a header as it is stored: it may be what an append led to whose answer was lost.
    pub(super) fn saw(&mut self, header: &Header) {
        if let Some(moved) = self.doubted.take()
            && moved.led_to(header)
        {
            self.tell(&moved);
        }
        self.handle.saw(header.revision);
        let stuck = &self.shared.stuck;
        stuck.saw(&header.gid, header.status, header.revision);
    }

    /// Asks once what became of an append whose answer was lost, if nobody here reads the record any more.
    pub(super) async fn look_at_doubted(&mut self) {
        if self.doubted.as_ref().is_some_and(Moved::is_told) {
            let shared = Arc::clone(&self.shared);
            tokio::time::sleep(STORE_BACKOFF).await;
            let retry = shared.retries.acquire().await;
            if let Ok(Some(stored)) = shared.load(&self.gid).await {
                self.saw(&stored.header);
            }
            drop(retry);
        }
        self.doubted = None;
    }
}
