//! Sends a plan to the store, and takes note when it is durable.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use seata_core::planted::{self, Planted};
use seata_core::{Event, Transaction, compact, compact_tightly};
use seata_store::{Append, AppendOutcome, Chunk, LeaseChange, Refusal, StoreErrorKind, record};

use crate::driver::Driver;
use crate::driver::plan::{Plan, Role};
use crate::journal::{Appended, is_lost};
use crate::lease::Held;
use crate::mailbox::Message;
use crate::telling::Moved;

/// What became of an append, and the boot time before it was sent.
pub(super) struct Sent {
    pub(super) answer: Appended,
    pub(super) at: Duration,
    /// What was appended, but for the chunk: how it changes the header.
    append: Append,
    /// How many of `unsaved` it makes durable.
    saves: usize,
}

impl Driver {
    /// Makes the append of a plan, but for its chunk.
    pub(super) fn append_of(&self, plan: &Plan) -> Append {
        let record = self
            .record
            .as_ref()
            .expect("invariant: a plan has a record");
        Append {
            gid: self.gid.clone(),
            mode: record.txn.mode(),
            expected: plan.expected,
            status: record.txn.status(),
            wake_at: plan.wake_at,
            lease: plan.lease,
            chunk: Chunk::Add(bytes::Bytes::new()),
            at: plan.now,
        }
    }

    fn encoded(&self) -> bytes::Bytes {
        if self.pending.is_empty() {
            bytes::Bytes::new()
        } else {
            record::encode(&self.pending)
        }
    }

    /// Appends. Calls that end meanwhile are noted for the next turn.
    pub(super) async fn send(&mut self, plan: &Plan) -> Sent {
        let append = self.append_of(plan);
        let compacted = match &self.record {
            Some(record) if record.txn.compaction_due() => self.compacted(plan, compact).await,
            Some(_) | None => None,
        };
        let chunk = compacted.unwrap_or_else(|| Chunk::Add(self.encoded()));
        let saves = self.fed;
        let at = self.shared.boot();
        let shared = Arc::clone(&self.shared);
        let releases = plan.lease == LeaseChange::Release;
        if releases {
            self.handle.lease.hold_back();
        }
        let whole = Append {
            chunk,
            ..append.clone()
        };
        let mut answer = self.beside(shared.journal.append(whole, at)).await;
        if is_too_much(&answer) && self.is_stored() {
            answer = self.send_tightly(plan, &append).await;
        }
        if releases {
            self.note_release(plan, &answer);
        }
        let sent = Sent {
            answer,
            at,
            append,
            saves,
        };
        if is_lost(&sent.answer)
            && let Ok(moved) = self.moved(plan, &sent)
        {
            self.shared.doubt(moved);
        }
        sent
    }

    fn is_stored(&self) -> bool {
        let record = self.record.as_ref();
        record.is_some_and(|record| record.header.is_some())
    }

    /// Replaces a history that has come to the store's bound by one that is as short as can be: what was accepted goes on.
    async fn send_tightly(&mut self, plan: &Plan, append: &Append) -> Appended {
        let Some(chunk) = self.compacted(plan, compact_tightly).await else {
            // It can't be had now: nothing was written, and the turn is taken again on the record as it is then.
            return Ok(AppendOutcome::Stale);
        };
        let shared = Arc::clone(&self.shared);
        let whole = Append {
            chunk,
            ..append.clone()
        };
        let at = shared.boot();
        self.beside(shared.journal.append(whole, at)).await
    }

    /// Judges an append as the store does that applies it.
    fn moved(&self, plan: &Plan, sent: &Sent) -> Result<Moved, Refusal> {
        let stored = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref());
        Moved::by(&sent.append, stored, plan.now)
    }

    /// Waits for the store. Calls that end meanwhile are noted for the next turn; they are given up when the lease ends or
    /// is found lost, however long the store takes: another may begin them then. The lease is given up with them. A renewal
    /// that comes late would bring it back, and this driver would go on as if those calls had never been made.
    pub(super) async fn beside<T>(&mut self, question: impl Future<Output = T>) -> T {
        tokio::pin!(question);
        let handle = Arc::clone(&self.handle);
        let calls_end_with_lease = !planted::is(Planted::CallAfterLostLease);
        loop {
            let left = self.lease_left();
            tokio::select! {
                biased;
                answer = &mut question => return answer,
                Some(ended) = self.calls.next(), if !self.calls.is_empty() => self.note(ended),
                () = handle.lease.gone(), if calls_end_with_lease && !self.calls.is_empty() => self.drop_calls(),
                () = tokio::time::sleep(left.unwrap_or_default()), if left.is_some() && !self.calls.is_empty() => {
                    if self.lease_left().is_some_and(|left| left.is_zero()) {
                        self.handle.lease.set(None);
                        self.drop_calls();
                        // Let go once this turn is over. The mailbox of a living driver is open.
                        drop(self.handle.send(Message::Look));
                    }
                }
            }
        }
    }

    /// Answers how long the lease holds at least.
    fn lease_left(&self) -> Option<Duration> {
        let held = self.handle.lease.held();
        held.filter(|_| !planted::is(Planted::CallAfterLostLease))
            .map(|held| held.until.saturating_sub(self.shared.boot()))
    }

    /// Answers the whole history, shortened, if it can be had now. The state follows it.
    async fn compacted(
        &mut self,
        plan: &Plan,
        shorten: fn(&[Event]) -> Vec<Event>,
    ) -> Option<Chunk> {
        let (shared, gid) = (Arc::clone(&self.shared), self.gid.clone());
        let stored = self.beside(shared.load(&gid)).await.ok()??;
        let record = self.record.as_ref()?;
        if record.header.as_ref().map(|header| header.revision) != Some(stored.header.revision) {
            return None;
        }
        let mut events: Vec<Event> = record::decode(&stored.chunks).ok()?;
        events.extend(self.pending.iter().cloned());
        let events = shorten(&events);
        let mut txn = Transaction::fold(&self.gid, &events).ok()?;
        self.handle.note_flights(&mut txn);
        if let Role::Driver(token) | Role::Taker(token) = plan.role {
            txn.calls_begun(&plan.effects, token);
        }
        self.record.as_mut()?.txn = Arc::new(txn);
        Some(Chunk::Replace(record::encode(&events)))
    }

    /// Takes note of a durable append: what was pending is told, what was unsaved is saved, the lease is as ordered.
    pub(super) fn applied(&mut self, plan: &Plan, sent: &Sent) {
        let moved = self.moved(plan, sent).unwrap_or_else(|refusal| {
            panic!("invariant: what the store applied follows what it held: {refusal:?}")
        });
        self.shared.tell(&moved);
        let header = moved.after;
        self.handle.saw(header.revision);
        match plan.lease {
            LeaseChange::Take { lasts, .. } => {
                self.handle.lease.set(Some(Held {
                    token: header.token,
                    until: sent.at + lasts,
                }));
            }
            LeaseChange::Release => self.handle.lease.set(None),
            LeaseChange::Keep => {}
        }
        let record = self
            .record
            .as_mut()
            .expect("invariant: an append has a record");
        record.header = Some(header);
        record.as_of = sent.at;
        self.pending.clear();
        self.pending_since = None;
        self.creation = None;
        self.release_is_certain();
        self.store_failures = 0;
        self.unsaved.drain(..sent.saves);
        self.fed -= sent.saves;
        if let Some(snapshot) = self.appended_snapshot() {
            self.shared.publish(&snapshot);
        }
    }
}

/// Says whether the record would have more bytes than the store keeps of one.
fn is_too_much(answer: &Appended) -> bool {
    matches!(answer, Err(error) if error.kind == StoreErrorKind::Invalid)
}
