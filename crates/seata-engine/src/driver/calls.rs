//! The calls of one transaction: made within its driver's task, so that they end with it.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use seata_core::{AttemptId, Effect, FencingToken, Input, Operation, Outcome};

use crate::caller::Call;
use crate::driver::Driver;
use crate::mailbox::{Flight, Handle};
use crate::shared::Shared;

/// A call that has ended.
pub(super) struct Ended {
    flight: Flight,
    outcome: Outcome,
    took: Duration,
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
        let endpoint = match order.operation {
            Operation::Action => Some(branch.action.clone()),
            Operation::Compensation => branch.compensation.clone(),
        };
        let endpoint =
            endpoint.expect("invariant: only a branch with a compensation is compensated");
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
        self.calls.push(Box::pin(make(
            Arc::clone(&self.shared),
            Arc::clone(&self.handle),
            call,
            flight,
        )));
    }

    /// Notes an answer, to be fed to the state by the next turn.
    pub(super) fn note(&mut self, ended: Ended) {
        let Ended {
            flight,
            outcome,
            took,
        } = ended;
        self.handle
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|other| *other != flight);
        self.shared.meters.answered(flight.operation, &outcome);
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
        self.calls = Calls::new();
        self.handle
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Makes one call, once there is room for it and at least half of the lease is left.
async fn make(shared: Arc<Shared>, handle: Arc<Handle>, call: Call, flight: Flight) -> Ended {
    let slot = shared.caller.slot(&call.endpoint).await;
    handle
        .lease
        .fresh(
            flight.attempt.token,
            shared.config.lease,
            shared.clock.as_ref(),
        )
        .await;
    let begun = shared.boot();
    let outcome = shared.caller.call(call, slot).await;
    Ended {
        flight,
        outcome,
        took: shared.boot().saturating_sub(begun),
    }
}
