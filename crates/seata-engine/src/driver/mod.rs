//! Drives one transaction: one turn after the other, calls in between.
//!
//! A driver lives as long as it has something to do: it holds the lease, calls are in flight, or somebody asks. What
//! waits longer waits in the store. Invariant: one driver per gid in this process, and no lock is held across an await.

mod append;
mod calls;
mod joined;
mod plan;
mod record;
mod stop;
mod turn;
mod uncertain;
mod wanted;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use seata_core::planted::{self, Planted};
use seata_core::{Event, Gid, Input, UnixMillis};

use crate::driver::calls::{Calls, Ended, Queued};
pub(crate) use crate::driver::record::is_left_open;
use crate::driver::record::{Record, STORE_BACKOFF};
use crate::driver::uncertain::Uncertain;
use crate::error::EngineError;
use crate::lease::Held;
use crate::mailbox::{Ask, Asked, Handle, Message};
use crate::shared::{Shared, read};

/// Drives a transaction until nothing is left to do here. A broken invariant ends this transaction's driver alone.
pub(crate) async fn run(shared: Arc<Shared>, gid: Gid, handle: Arc<Handle>) {
    let driver = Driver::new(Arc::clone(&shared), gid.clone(), Arc::clone(&handle));
    if AssertUnwindSafe(driver.drive())
        .catch_unwind()
        .await
        .is_err()
    {
        handle.break_off();
        shared.isolate(&gid).await;
    }
    shared.forget(&gid, &handle);
}

struct Driver {
    shared: Arc<Shared>,
    gid: Gid,
    handle: Arc<Handle>,
    /// The transaction as of the last append, with `pending` applied on top. None: to be loaded.
    record: Option<Record>,
    calls: Calls,
    /// Those of them that may not have left yet.
    queued: Vec<Queued>,
    /// Inputs of this driver whose events are not durable yet: fed to the state again after a reload.
    unsaved: Vec<Input>,
    /// How many of `unsaved` were fed to the present state.
    fed: usize,
    /// Events of the present state that are not durable yet.
    pending: Vec<Event>,
    /// Since when the oldest of them waits.
    pending_since: Option<Duration>,
    /// Those who wait for the answer to a try that is made here.
    joined: Vec<Ask>,
    /// A creation whose fate is unknown.
    creation: Option<Creation>,
    /// A release of the lease whose fate is unknown.
    uncertain: Option<Uncertain>,
    /// Who has a lease that this driver doesn't hold, in this turn.
    holder: Holder,
    /// When calls must have ended, because the process stops.
    stop_at: Option<Duration>,
    /// How often the store failed since this driver appended last.
    store_failures: u32,
}

/// A creation that may have been applied, now or later. Every repetition bears the same time, which tells it from
/// whatever this process created under the same name before.
#[derive(Debug, Clone, Copy)]
struct Creation {
    created_at: UnixMillis,
    /// The boot time before it was sent first.
    sent_at: Duration,
}

/// How long after it was sent a creation in doubt is remembered, so that whoever asks for the same again need not wait for
/// the end of a lease that nobody uses. A store that was frozen applies it as it goes on.
const DOUBT_MAX: Duration = Duration::from_secs(30);

/// Who has a lease that this driver doesn't hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// Whom the record tells.
    Told,
    /// Another server, whatever our clock says: the store said so.
    Another,
    /// Nobody: it came of a creation of this driver's whose answer was lost, and nothing has been done under it.
    Nobody,
}

enum Woken {
    Mail(Vec<Message>),
    Answered(Ended),
    Timer,
}

impl Driver {
    fn new(shared: Arc<Shared>, gid: Gid, handle: Arc<Handle>) -> Self {
        Self {
            shared,
            gid,
            handle,
            record: None,
            calls: Calls::new(),
            queued: Vec::new(),
            unsaved: Vec::new(),
            fed: 0,
            pending: Vec::new(),
            pending_since: None,
            joined: Vec::new(),
            creation: None,
            uncertain: None,
            holder: Holder::Told,
            stop_at: None,
            store_failures: 0,
        }
    }

    async fn drive(mut self) {
        loop {
            match self.woken().await {
                Woken::Mail(messages) => {
                    for message in messages {
                        self.let_go_if_lapsed();
                        self.take(message).await;
                    }
                }
                Woken::Answered(ended) => self.answered(ended).await,
                Woken::Timer => self.timer().await,
            }
            while self.fed < self.unsaved.len() && self.stop_at.is_none() && self.held().is_some() {
                self.turn(None).await;
            }
            self.stop_if_due().await;
            self.forget_old_creation();
            if self.is_done() && self.handle.close() {
                return;
            }
        }
    }

    /// Waits for what comes next. Messages first, so that an order is seen before more calls are made.
    async fn woken(&mut self) -> Woken {
        let timer = self.next_timer();
        let sleep = tokio::time::sleep(timer.unwrap_or_default());
        tokio::select! {
            biased;
            messages = self.handle.receive() => Woken::Mail(messages),
            Some(ended) = self.calls.next(), if !self.calls.is_empty() => Woken::Answered(ended),
            () = sleep, if timer.is_some() => Woken::Timer,
        }
    }

    /// Answers how long until something must be done although nothing happens.
    fn next_timer(&self) -> Option<Duration> {
        let boot = self.shared.boot();
        let held = self.held();
        let now = self.shared.now();
        let alarm = match (&self.record, held, self.stop_at) {
            (Some(record), Some(_), None) => record.txn.alarm(now).map(|at| boot + at.since(now)),
            // The last turn was given up: nobody else will take it while this lease is renewed.
            (None, Some(_), None) => Some(boot + STORE_BACKOFF),
            (_, None, _) | (_, _, Some(_)) => None,
        };
        // The hand-over of a stop flushes by itself.
        let flush = self
            .pending_since
            .filter(|_| self.stop_at.is_none())
            .map(|since| since + self.shared.config.behind_delay_max);
        let lease_end = held
            .map(|held| held.until)
            .filter(|_| !planted::is(Planted::CallAfterLostLease));
        let forgotten = self.creation.map(|creation| creation.sent_at + DOUBT_MAX);
        [alarm, flush, lease_end, forgotten, self.stop_at]
            .into_iter()
            .flatten()
            .min()
            .map(|at| at.saturating_sub(boot))
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Ask(ask) if self.stop_at.is_some() || self.shared.is_stopping() => {
                reply(ask, Err(EngineError::Stopping));
            }
            Message::Ask(ask) => self.asked(ask).await,
            Message::Claimed { stored, sent_at } => {
                // A claim that is posted while the stop goes through the drivers makes one that the stop doesn't know.
                self.stop_at = self.stop_at.or(self.shared.stopping.calls_end_at());
                self.claimed(*stored, sent_at).await;
            }
            Message::Look => self.look().await,
            Message::Stop { at } => {
                self.stop_at = Some(at);
                // Whoever goes on makes them.
                self.withdraw_all();
            }
        }
    }

    async fn asked(&mut self, ask: Ask) {
        let grows = matches!(ask.asked, Asked::AddBranch(_) | Asked::Try(_));
        self.turn(Some(ask)).await;
        if grows {
            self.weigh();
        }
    }

    /// Takes over what the store leased out to this process: a new driver, or this one under a new token.
    async fn claimed(&mut self, stored: seata_store::Stored, sent_at: Duration) {
        let token = stored.header.token;
        let known = self
            .record
            .as_ref()
            .and_then(|record| record.header.as_ref())
            .map(|header| header.token);
        if self
            .handle
            .lease
            .held()
            .is_some_and(|held| held.token >= token)
            || known > Some(token)
        {
            return;
        }
        self.shared
            .meters
            .woken(stored.header.wake_at, self.shared.now());
        if self.held().is_some_and(|held| held.token.0 + 1 < token.0) {
            // Another drove in between, and may have made them too.
            self.drop_calls();
        }
        self.forget_state();
        self.release_is_certain();
        match read(&stored) {
            Ok(snapshot) => {
                self.handle.lease.set(Some(Held {
                    token,
                    until: sent_at + self.shared.config.lease,
                }));
                if self.handle.knows_newer(stored.header.revision) {
                    // This driver wrote, without the lease, while the claim's answer was on its way.
                    if !self.ensure_record(&mut None).await {
                        return;
                    }
                } else {
                    self.adopt(snapshot, sent_at);
                }
                self.recover_if_needed(token);
                if self.stop_at.is_none() {
                    self.turn(None).await;
                }
            }
            Err(error) => {
                self.let_go();
                self.shared.set_aside(&stored, &error).await;
            }
        }
    }

    /// Somebody else wrote, or the lease was lost.
    async fn look(&mut self) {
        if self.held().is_none() {
            self.let_go();
        } else if self.stop_at.is_none() {
            self.forget_state();
            self.turn(None).await;
        }
    }

    async fn answered(&mut self, ended: Ended) {
        self.note(ended);
        while let Some(Some(another)) = self.calls.next().now_or_never() {
            self.note(another);
        }
        self.let_go_if_lapsed();
        if self.stop_at.is_none() && self.held().is_some() {
            self.turn(None).await;
        }
    }

    async fn timer(&mut self) {
        self.let_go_if_lapsed();
        if self.stop_at.is_none() && self.held().is_some() {
            self.turn(None).await;
        }
    }

    /// Gives up driving once the lease has ended: another may have written since, and what is known here may be old.
    fn let_go_if_lapsed(&mut self) {
        let lapsed = self
            .held()
            .is_some_and(|held| held.until <= self.shared.boot());
        if lapsed && planted::is(Planted::ThawedAppendsWithoutToken) {
            let until = self.shared.boot() + self.shared.config.lease;
            let held = self.held().map(|held| Held { until, ..held });
            return self.handle.lease.set(held);
        }
        if lapsed && !planted::is(Planted::CallAfterLostLease) {
            if self.shared.outage.tells_of_lapse(self.shared.boot()) {
                tracing::warn!(gid = %self.gid, "a lease ended without renewal: calls are given up, another turn will come");
            }
            self.let_go();
        }
    }

    /// Answers the lease, if this driver holds it.
    fn held(&self) -> Option<Held> {
        self.handle.lease.held()
    }

    /// Nothing is left to do here: no lease is held, no call is in flight, and no creation is in doubt.
    fn is_done(&self) -> bool {
        self.held().is_none() && self.calls.is_empty() && self.creation.is_none()
    }

    /// Forgets a creation in doubt in time. Until then a driver without a lease waits with nothing else: others write
    /// meanwhile.
    fn forget_old_creation(&mut self) {
        let Some(creation) = self.creation else {
            return;
        };
        if self.stop_at.is_some() || creation.sent_at + DOUBT_MAX <= self.shared.boot() {
            self.creation = None;
        } else if self.held().is_none() && self.calls.is_empty() {
            self.forget_state();
            self.handle.weight.set(0);
        }
    }

    /// Gives up driving: drops calls and whatever is not durable. A recovery finds out what it must.
    fn let_go(&mut self) {
        self.handle.lease.set(None);
        self.release_is_certain();
        self.drop_calls();
        self.unsaved.clear();
        // They look for themselves from now on.
        self.joined.clear();
        self.forget_state();
    }

    /// Forgets the state in memory, so that the next turn loads it and feeds it what is unsaved.
    fn forget_state(&mut self) {
        self.record = None;
        self.pending.clear();
        self.pending_since = None;
        self.fed = 0;
    }
}

fn reply(ask: Ask, answer: Result<crate::snapshot::Snapshot, EngineError>) {
    // Whoever asked may have gone.
    drop(ask.reply.send(answer));
}
