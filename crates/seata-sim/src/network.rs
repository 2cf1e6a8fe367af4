//! The wires between coordinators and participants: each request may be lost, repeated, late; each answer too.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{AttemptId, Endpoint, Outcome, Reason};
use seata_engine::{Call, Caller, Slot};
use seata_store::Owner;
use tokio::sync::{Semaphore, oneshot};

use crate::faults::Fault;
use crate::oracle::{CallEnd, Promise, Seen};
use crate::participant::Moment;
use crate::plan::LATE_MAX_MS;
use crate::world::{Phase, State, World, pause};

/// Calls whose caller still listens.
#[derive(Debug, Default)]
pub(crate) struct Wires {
    last: u64,
    listening: BTreeMap<u64, oneshot::Sender<Outcome>>,
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

/// One request on its way.
struct Request {
    id: u64,
    owner: Owner,
    call: Call,
}

fn send(world: &Arc<World>, owner: Owner, call: Call) -> (Listener, oneshot::Receiver<Outcome>) {
    let now = world.now();
    let (reply, answer) = oneshot::channel();
    let (id, copies) = {
        let state = &mut *world.state();
        state.wires.last += 1;
        let id = state.wires.last;
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
        let seen = seen(owner, &call, *attempt, now.ms);
        state.oracle.call_begun(id, seen, &state.participants, now);
        state.wires.listening.insert(id, reply);
        (id, draw_copies(world, state))
    };
    let request = Arc::new(Request { id, owner, call });
    for delay_ms in copies {
        let (world, request) = (Arc::clone(world), Arc::clone(&request));
        drop(tokio::spawn(async move {
            pause(delay_ms).await;
            deliver(world, request).await;
        }));
    }
    (
        Listener {
            world: Arc::clone(world),
            id,
        },
        answer,
    )
}

fn seen(owner: Owner, call: &Call, attempt: AttemptId, begun_ms: u64) -> Seen {
    Seen {
        key: (
            call.gid.clone(),
            call.branch.branch_id.clone(),
            call.operation,
        ),
        attempt,
        owner,
        begun_ms,
        end: None,
        overlapped_ms: None,
    }
}

/// Answers after how long each copy of a request arrives.
fn draw_copies(world: &World, state: &mut State) -> Vec<u64> {
    let rates = &world.plan.rates;
    let usual_ms = state.network.span(1..8);
    if state.phase == Phase::Healing {
        return vec![usual_ms];
    }
    let mut copies = Vec::new();
    if state.network.hits(rates.request_lost) {
        state.counts.fault(Fault::LostRequest);
    } else if state.network.hits(rates.late) {
        copies.push(state.network.span(500..LATE_MAX_MS));
    } else {
        copies.push(usual_ms);
    }
    if state.network.hits(rates.duplicate) {
        state.counts.fault(Fault::DuplicateDelivery);
        let late = state.network.hits(400);
        copies.push(if late {
            state.network.span(300..LATE_MAX_MS)
        } else {
            state.network.span(1..50)
        });
    }
    copies
}

/// A request reaches its participant, which works on it and answers.
async fn deliver(world: Arc<World>, request: Arc<Request>) {
    let Some(plan) = world.work.get(&request.call.gid) else {
        return;
    };
    let branch_id = &request.call.branch.branch_id;
    let Some(behaviour) = plan.behaviour(branch_id) else {
        return;
    };
    let key = (&request.call.gid, branch_id);
    let visit = {
        let now = world.now();
        let state = &mut *world.state();
        note_arrival(state, &request, now.ms);
        judge_payload(&world, state, &request);
        let moment = Moment {
            at_ms: now.ms,
            lease_ms: world.plan.knobs.lease_ms,
        };
        state.participants.arrive(
            key,
            (request.id, request.call.operation),
            behaviour,
            moment,
            &mut state.counts,
        )
    };
    let Some(visit) = visit else { return };
    pause(visit.service_ms).await;
    let (outcome, way_back_ms) = {
        let now = world.now();
        let state = &mut *world.state();
        let outcome = state
            .participants
            .finish(key, visit, behaviour, &mut state.counts);
        let (gid, branch) = key;
        let holding = state.participants.ledger(gid, branch).holding;
        state.trace.note(
            now.ms,
            format_args!(
                "  participant of call {}: {gid} {branch} {} -> {outcome:?}, holds {holding:?}",
                request.id, visit.operation
            ),
        );
        let lost = state.phase == Phase::Faults && state.network.hits(world.plan.rates.reply_lost);
        if lost {
            state.counts.fault(Fault::LostReply);
            state.participants.unheard(gid, branch);
            return;
        }
        (outcome, state.network.span(1..6))
    };
    pause(way_back_ms).await;
    let reply = world.state().wires.listening.remove(&request.id);
    if let Some(reply) = reply {
        // The caller may give up at this very moment.
        drop(reply.send(outcome));
    }
}

fn note_arrival(state: &mut State, request: &Request, at_ms: u64) {
    let listens = state.wires.listening.contains_key(&request.id);
    if !listens {
        state.counts.fault(Fault::LateDelivery);
        if !state.oracle.is_alive(request.owner) {
            state.counts.fault(Fault::DeliveryAfterDeath);
        }
    }
    state
        .trace
        .note(at_ms, format_args!("  call {} arrives", request.id));
}

/// P8: every delivery carries what the store holds for its branch.
fn judge_payload(world: &World, state: &mut State, request: &Request) {
    let call = &request.call;
    let expected = state.oracle.truths.get(&call.gid).and_then(|truth| {
        let branch = truth
            .branches
            .iter()
            .find(|branch| branch.branch_id == call.branch.branch_id)?;
        let endpoint = branch.endpoint(call.operation);
        Some((
            branch
                .payload
                .clone()
                .or_else(|| truth.definition.payload.clone()),
            endpoint.cloned(),
        ))
    });
    if let Some((payload, endpoint)) = expected
        && (payload.as_ref() != call.payload() || endpoint.as_ref() != Some(&call.endpoint))
    {
        let what = format!(
            "a delivery of {} carries another payload or goes elsewhere",
            call.branch.branch_id
        );
        state
            .oracle
            .broken(Promise::P8, &call.gid, world.now(), what);
    }
}

/// Answers a span as the clock of the simulation counts it.
pub(crate) const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}
