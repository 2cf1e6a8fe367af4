//! The calls of one transaction: made within its driver's task, so that they end with it.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use seata_core::planted::{self, Planted};
use seata_core::{AttemptId, Effect, FencingToken, Input, Operation, Outcome, Reason, UnixMillis};
use tokio::sync::oneshot;

use crate::caller::{Call, Slot};
use crate::driver::Driver;
use crate::mailbox::{Flight, Handle};
use crate::shared::Shared;

/// How a call has ended.
pub(super) enum Ended {
    /// With an answer, or without one in time.
    Answered {
        flight: Flight,
        outcome: Outcome,
        took: Duration,
    },
    /// It was never made.
    Withdrawn,
}

/// A call that waits for its turn to leave. Invariant: it is closed once the call leaves, and calls run within their
/// driver's task, so that none leaves while it is being withdrawn.
pub(super) struct Queued {
    flight: Flight,
    withdraw: oneshot::Sender<()>,
}

/// Calls in flight.
pub(super) type Calls = FuturesUnordered<Pin<Box<dyn Future<Output = Ended> + Send>>>;

impl Driver {
    /// Carries out effects. What they follow from is durable, or may be behind.
    pub(super) fn dispatch(&mut self, effects: Vec<Effect>, token: FencingToken) {
        for effect in effects {
            match effect {
                Effect::Call(call) => self.call(&call, token),
            }
        }
    }

    fn call(&mut self, order: &seata_core::Call, token: FencingToken) {
        let Some(record) = &self.record else { return };
        let Some(branch) = record.txn.branch(order.branch) else {
            return;
        };
        let endpoint = branch
            .endpoint(order.operation)
            .cloned()
            .expect("invariant: only what has an endpoint is called");
        let attempt = AttemptId {
            token,
            number: order.number,
        };
        let call = Call {
            gid: self.gid.clone(),
            operation: order.operation,
            attempt,
            endpoint,
            branch: Arc::clone(branch),
            definition: Arc::clone(record.txn.definition()),
        };
        let flight = Flight {
            branch: order.branch,
            operation: order.operation,
            attempt,
        };
        self.handle
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(flight);
        let (withdraw, withdrawn) = oneshot::channel();
        self.queued.retain(|queued| !queued.withdraw.is_closed());
        self.queued.push(Queued { flight, withdraw });
        let departure = Departure {
            flight,
            leaves_before: self.leaves_before(flight),
            withdrawn,
        };
        let (shared, handle) = (Arc::clone(&self.shared), Arc::clone(&self.handle));
        let made = make(Arc::clone(&shared), handle, call, departure);
        let limit = self.try_limit(flight);
        self.calls.push(match limit {
            Some(until) => Box::pin(end_by(shared, until, flight, made)),
            None => Box::pin(made),
        });
    }

    /// Answers from when on this call may not begin any more.
    fn leaves_before(&self, flight: Flight) -> Option<UnixMillis> {
        match flight.operation {
            Operation::Action => self
                .record
                .as_ref()
                .and_then(|record| record.txn.deadline())
                .filter(|_| !planted::is(Planted::DeadlineIgnored)),
            // Its limit may have passed while its append took long: then others may cancel.
            Operation::Try => self.try_limit(flight),
            Operation::Compensation | Operation::Confirm | Operation::Cancel => None,
        }
    }

    /// Answers until when the call of a try lasts at most, as recorded.
    fn try_limit(&self, flight: Flight) -> Option<UnixMillis> {
        let record = self.record.as_ref()?;
        match flight.operation {
            Operation::Try => record.txn.try_limit(flight.branch),
            Operation::Action
            | Operation::Compensation
            | Operation::Confirm
            | Operation::Cancel => None,
        }
    }

    /// Withdraws the calls that have not left and that the state no longer asks for. Called before a decision, so that
    /// it is taken knowing that they were never made.
    pub(super) fn withdraw_unwanted(&mut self, now: UnixMillis) {
        let Some(record) = &self.record else { return };
        let txn = Arc::clone(&record.txn);
        self.withdraw(|flight| !txn.calls_still(flight.branch, flight.operation, now));
    }

    /// Withdraws all calls that have not left.
    pub(super) fn withdraw_all(&mut self) {
        self.withdraw(|_| true);
    }

    fn withdraw(&mut self, unwanted: impl Fn(&Flight) -> bool) {
        self.queued.retain(|queued| !queued.withdraw.is_closed());
        for Queued { flight, withdraw } in std::mem::take(&mut self.queued) {
            if !unwanted(&flight) {
                self.queued.push(Queued { flight, withdraw });
                continue;
            }
            assert!(
                withdraw.send(()).is_ok(),
                "invariant: what has not left can be withdrawn"
            );
            self.landed(flight);
            if flight.operation == Operation::Try {
                // That it was begun is recorded: so is that it never left.
                self.unsaved.push(unanswered_try(flight));
            } else if let Some(record) = &mut self.record {
                let txn = Arc::make_mut(&mut record.txn);
                txn.call_withdrawn(flight.branch, flight.operation, flight.attempt);
            }
        }
    }

    fn landed(&self, flight: Flight) {
        self.handle
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| *other != flight);
    }

    /// Notes an answer, to be fed to the state by the next turn.
    pub(super) fn note(&mut self, ended: Ended) {
        let Ended::Answered {
            flight,
            outcome,
            took,
        } = ended
        else {
            return;
        };
        self.landed(flight);
        self.shared.meters.answered(flight.operation, &outcome);
        tracing::debug!(
            gid = %self.gid,
            branch = flight.branch.0,
            operation = flight.operation.as_str(),
            outcome = outcome.as_str(),
            took_ms = took.as_millis(),
            "a participant answered"
        );
        let Flight {
            branch,
            operation,
            attempt,
        } = flight;
        self.unsaved.push(Input::Answered {
            branch,
            operation,
            attempt,
            outcome,
            took,
        });
    }

    pub(super) fn drop_calls(&mut self) {
        self.break_off_calls();
        self.handle
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Says of a try that its call was withdrawn before it left.
fn unanswered_try(flight: Flight) -> Input {
    Input::Answered {
        branch: flight.branch,
        operation: flight.operation,
        attempt: flight.attempt,
        outcome: Outcome::Unknown {
            reason: Reason::new("it was not called: its turn did not come before"),
        },
        took: Duration::ZERO,
    }
}

/// Ends a call by the time that its transaction records for it, the wait for its turn included: whoever takes over
/// relies on it.
async fn end_by(
    shared: Arc<Shared>,
    until: UnixMillis,
    flight: Flight,
    made: impl Future<Output = Ended>,
) -> Ended {
    let begun = shared.boot();
    let left = until.since(shared.now());
    match tokio::time::timeout(left, made).await {
        Ok(ended) => ended,
        Err(_) => Ended::Answered {
            flight,
            outcome: Outcome::Unknown {
                reason: Reason::new("no answer within the time limit of the call"),
            },
            took: shared.boot().saturating_sub(begun),
        },
    }
}

/// What a call must know before it leaves.
struct Departure {
    flight: Flight,
    leaves_before: Option<UnixMillis>,
    withdrawn: oneshot::Receiver<()>,
}

/// Makes one call, unless it is withdrawn before it leaves.
async fn make(
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    call: Call,
    mut departure: Departure,
) -> Ended {
    let flight = departure.flight;
    let slot = tokio::select! {
        biased;
        _ = &mut departure.withdrawn => return Ended::Withdrawn,
        slot = leave(&shared, &handle, &call, departure.leaves_before) => slot,
    };
    drop(departure);
    let begun = shared.boot();
    let outcome = shared.caller.call(call, slot).await;
    Ended::Answered {
        flight,
        outcome,
        took: shared.boot().saturating_sub(begun),
    }
}

/// Waits until a call may leave: there is room for it, and at least half of the lease is left.
async fn leave(
    shared: &Shared,
    handle: &Handle,
    call: &Call,
    leaves_before: Option<UnixMillis>,
) -> Slot {
    let slot = shared.caller.slot(&call.endpoint).await;
    let (token, lasts) = (call.attempt.token, shared.config.lease);
    handle
        .lease
        .fresh(token, lasts, shared.clock.as_ref())
        .await;
    if leaves_before.is_some_and(|deadline| deadline <= shared.now()) {
        // The driver looks at its deadline about now, and withdraws this call.
        drop(slot);
        return std::future::pending().await;
    }
    slot
}
