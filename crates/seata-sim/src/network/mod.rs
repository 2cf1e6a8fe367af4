//! The wires between whoever calls and the participants: each request may be lost, repeated, late; each answer too.
//!
//! Here are the calls of coordinators and of initiators, `delivery` is what happens to a request on its way.

mod delivery;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{Endpoint, Operation, Outcome, Reason};
use seata_engine::{Call, Caller, Slot};
use seata_store::Owner;
use tokio::sync::{Semaphore, oneshot};

use crate::faults::Fault;
use crate::oracle::{CallEnd, Seen};
use crate::plan::work::TxPlan;
use crate::world::World;
use delivery::{Request, Sender};

/// Calls whose caller still listens.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    last: u64,
    listening: BTreeMap<u64, oneshot::Sender<Outcome>>,
}

impl Wires {
    /// Gives a new call its number.
    fn listen(&mut self, reply: oneshot::Sender<Outcome>) -> u64 {
        self.last += 1;
        self.listening.insert(self.last, reply);
        self.last
    }
}

/// One process's way to the participants.
pub(crate) struct Wire {
    world: Arc<World>,
    owner: Owner,
    /// Permits per destination, if calls in flight are bounded.
    slots: Option<BTreeMap<String, Arc<Semaphore>>>,
}

impl Wire {
    pub(crate) fn new(world: &Arc<World>, owner: Owner) -> Self {
        let slots = world.plan.knobs.slots.map(|most| {
            (0..5)
                .map(|participant| (format!("p{participant}"), Arc::new(Semaphore::new(most))))
                .collect()
        });
        Self {
            world: Arc::clone(world),
            owner,
            slots,
        }
    }
}

#[async_trait]
impl Caller for Wire {
    async fn slot(&self, endpoint: &Endpoint) -> Slot {
        match self
            .slots
            .as_ref()
            .and_then(|slots| slots.get(endpoint.authority()))
        {
            Some(permits) => match Arc::clone(permits).acquire_owned().await {
                Ok(permit) => Slot::holding(permit),
                Err(_) => Slot::unbounded(),
            },
            None => Slot::unbounded(),
        }
    }

    async fn call(&self, call: Call, slot: Slot) -> Outcome {
        let _slot = slot;
        let limit = call.timeout();
        let (mut listener, answer) = send(&self.world, self.owner, call);
        let heard = async {
            match answer.await {
                Ok(outcome) => outcome,
                // Nobody will ever answer.
                Err(_) => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            biased;
            outcome = heard => outcome,
            () = tokio::time::sleep(limit) => Outcome::Unknown { reason: Reason::new("no answer in time") },
        };
        listener.end(CallEnd::Answered(outcome.clone()));
        outcome
    }
}

/// Whoever made a call. Dropped before the answer: it was given up.
struct Listener {
    world: Arc<World>,
    id: u64,
}

impl Listener {
    fn end(&mut self, end: CallEnd) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        if state.wires.listening.remove(&self.id).is_some() || matches!(end, CallEnd::Answered(_)) {
            state
                .trace
                .note(now.ms, format_args!("call {} ended: {end:?}", self.id));
        }
        state.oracle.call_ended(self.id, end, now);
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.end(CallEnd::Dropped);
    }
}

fn send(world: &Arc<World>, owner: Owner, call: Call) -> (Listener, oneshot::Receiver<Outcome>) {
    let now = world.now();
    let (reply, answer) = oneshot::channel();
    let id = {
        let state = &mut *world.state();
        let id = state.wires.listen(reply);
        let Call {
            gid,
            operation,
            attempt,
            branch,
            ..
        } = &call;
        state.trace.note(
            now.ms,
            format_args!(
                "call {id}: {gid} {} {operation} {attempt:?} by {:x}",
                branch.branch_id,
                owner.0 >> 96
            ),
        );
        let seen = seen(owner, &call, now.ms);
        state.counts.call(call.operation);
        state.oracle.call_begun(id, seen, &state.participants, now);
        id
    };
    let generation = world.state().oracle.generation(&call.gid);
    delivery::post(
        world,
        Request {
            id,
            generation,
            gid: call.gid.clone(),
            branch_id: call.branch.branch_id.clone(),
            operation: call.operation,
            sender: Sender::Coordinator { owner, call },
        },
    );
    let listener = Listener {
        world: Arc::clone(world),
        id,
    };
    (listener, answer)
}

/// Calls a try as the initiator does that makes it itself. None: nothing was heard.
pub(crate) async fn own_try(
    world: &Arc<World>,
    tx: &TxPlan,
    branch: usize,
    patience_ms: u64,
) -> Option<Outcome> {
    let (reply, answer) = oneshot::channel();
    let branch_id = tx.branch(branch).branch_id.clone();
    let id = {
        let now = world.now();
        let state = &mut *world.state();
        let id = state.wires.listen(reply);
        state.trace.note(
            now.ms,
            format_args!("call {id}: {} {branch_id} try by its initiator", tx.gid),
        );
        id
    };
    let generation = world.state().oracle.generation(&tx.gid);
    delivery::post(
        world,
        Request {
            id,
            generation,
            gid: tx.gid.clone(),
            branch_id,
            operation: Operation::Try,
            sender: Sender::Initiator,
        },
    );
    let heard = tokio::time::timeout(ms(patience_ms), answer).await;
    let state = &mut *world.state();
    state.wires.listening.remove(&id);
    let outcome = heard.ok().and_then(Result::ok);
    if outcome.is_none() {
        state.counts.fault(Fault::OwnTryLost);
    }
    outcome
}

fn seen(owner: Owner, call: &Call, begun_ms: u64) -> Seen {
    Seen {
        key: (
            call.gid.clone(),
            call.branch.branch_id.clone(),
            call.operation,
        ),
        attempt: call.attempt,
        owner,
        begun_ms,
        until: None,
        end: None,
        overlap: None,
    }
}

/// Answers a span as the clock of the simulation counts it.
pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
