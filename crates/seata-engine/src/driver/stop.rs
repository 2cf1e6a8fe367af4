//! Hands a transaction over when the process stops: flushes what is behind and releases the lease, so that another
//! instance goes on at once.

use seata_core::{Input, Next};
use seata_store::{AppendOutcome, LeaseChange};

use crate::driver::Driver;
use crate::driver::plan::{Needed, Plan, Role};

/// How often the hand-over is tried. What can't be handed over goes on when the lease has ended.
const TRIES_MAX: u32 = 3;

impl Driver {
    /// Hands over once the process stops and calls have ended, or must end.
    pub(super) async fn stop_if_due(&mut self) {
        let Some(stop_at) = self.stop_at else { return };
        if self.held().is_none() {
            return self.let_go();
        }
        if self.calls.is_empty() || stop_at <= self.shared.boot() {
            for _ in 0..TRIES_MAX {
                if self.hand_over().await || !self.wait_for_store().await {
                    break;
                }
            }
            self.let_go();
        }
    }

    /// Answers whether nothing is left to hand over.
    async fn hand_over(&mut self) -> bool {
        if !self.ensure_record(&mut None).await {
            return true;
        }
        if self.is_overtaken() {
            self.let_go_overtaken();
            return true;
        }
        self.judge_release();
        let Some(plan) = self.last_plan() else {
            return true;
        };
        let sent = self.send(&plan).await;
        match &sent.answer {
            Ok(AppendOutcome::Applied(_)) => {
                self.applied(&plan, &sent);
                // Answers that came in while this was appended: they go into one more append.
                self.fed == self.unsaved.len() || self.held().is_none()
            }
            Ok(AppendOutcome::Fenced | AppendOutcome::Exists(_)) => true,
            Ok(AppendOutcome::Stale) | Err(_) => {
                if sent.may_release(&plan) {
                    self.break_off_calls();
                }
                self.forget_state();
                false
            }
        }
    }

    /// Records what is known and whatever follows from it without another call.
    fn last_plan(&mut self) -> Option<Plan> {
        let role = Role::Driver(self.held()?.token);
        let in_flight = self.has_flights();
        let record = self.record.as_mut()?;
        let header = record.header.clone()?;
        let now = self.shared.now().max(header.updated_at);
        let txn = std::sync::Arc::make_mut(&mut record.txn);
        for input in self.unsaved[self.fed..].iter().cloned() {
            self.pending.extend(txn.record(input, now).ok()?.events);
        }
        self.fed = self.unsaved.len();
        let next = loop {
            let step = txn.step(Input::Wake, now).ok()?;
            if step.events.is_empty() || !step.effects.is_empty() {
                break step.next;
            }
            for event in step.events {
                txn.apply(&event);
                self.pending.push(event);
            }
        };
        let wake_at = match next {
            Next::WakeAt(_) if in_flight => Some(now),
            Next::WakeAt(at) => Some(at),
            Next::Operator | Next::Nobody => None,
        };
        let expected = seata_store::Expected::At {
            revision: header.revision,
            token: header.token,
        };
        let (lease, needed) = (LeaseChange::Release, Needed::Append);
        Some(Plan {
            role,
            expected,
            lease,
            wake_at,
            effects: Vec::new(),
            now,
            needed,
        })
    }
}
