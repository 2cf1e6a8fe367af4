//! Those who asked for a try wait for its answer with the driver that makes it, whoever of them asked first.

use std::sync::Arc;

use seata_core::TrialView;

use crate::driver::{Driver, reply};
use crate::mailbox::{Ask, Asked};

impl Driver {
    /// Keeps a question that waits for a try of this driver's. Answers the question if it doesn't. Whoever broke off
    /// gives his place among the questions up.
    pub(super) fn join(&mut self, mut ask: Ask) -> Option<Ask> {
        if self.held().is_some() && self.awaits_try(&ask) {
            self.joined.retain(|waiting| !waiting.reply.is_closed());
            self.share_content(&mut ask);
            self.joined.push(ask);
            return None;
        }
        Some(ask)
    }

    /// Lets a question hold the branch that is on record, which has the same content, and not a copy of its own.
    fn share_content(&self, ask: &mut Ask) {
        if let (Asked::Try(branch), Some(record)) = (&mut ask.asked, &self.record)
            && let Ok(index) = record.txn.find_branch(&branch.branch_id)
            && let Some(known) = record.txn.branch(index)
        {
            *branch = Arc::clone(known);
        }
    }

    /// Answers those whose try is answered. Called when all of the state is durable.
    pub(super) fn answer_joined(&mut self) {
        if self.joined.is_empty() {
            return;
        }
        let Some(snapshot) = self.appended_snapshot() else {
            return;
        };
        for ask in std::mem::take(&mut self.joined) {
            if self.awaits_try(&ask) {
                self.joined.push(ask);
            } else {
                reply(ask, Ok(snapshot.clone()));
            }
        }
    }

    fn awaits_try(&self, ask: &Ask) -> bool {
        match &ask.asked {
            Asked::Try(branch) => self.record.as_ref().is_some_and(|record| {
                let found = record.txn.find_branch(&branch.branch_id).ok();
                let trial = found.and_then(|index| record.txn.trial(index));
                trial == Some(TrialView::Awaited)
            }),
            Asked::Create { .. }
            | Asked::AddBranch(_)
            | Asked::Submit
            | Asked::Abort { .. }
            | Asked::Order(_)
            | Asked::ConfirmBranch(_)
            | Asked::CancelBranch(_)
            | Asked::Complete(_) => false,
        }
    }
}
