//! A request on its way: its copies, the participant's work on them, the answer's way back.

use std::sync::Arc;

use seata_core::{BranchId, Gid, Operation};
use seata_engine::Call;
use seata_store::Owner;

use crate::faults::Fault;
use crate::oracle::Promise;
use crate::participant::Moment;
use crate::plan::LATE_MAX_MS;
use crate::world::{Phase, State, World, pause};

/// Who sent a request.
pub(super) enum Sender {
    Coordinator { owner: Owner, call: Call },
    Initiator,
}

/// One request on its way.
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) gid: Gid,
    pub(super) branch_id: BranchId,
    pub(super) operation: Operation,
    /// How often the name was used before. Participants keep their barrier for longer than a request can be on its way.
    pub(super) generation: u32,
    pub(super) sender: Sender,
}

/// Sends a request off, and perhaps copies of it.
pub(super) fn post(world: &Arc<World>, request: Request) {
    let copies = draw_copies(world, &mut world.state());
    let request = Arc::new(request);
    for delay_ms in copies {
        let (world, request) = (Arc::clone(world), Arc::clone(&request));
        drop(tokio::spawn(async move {
            pause(delay_ms).await;
            deliver(world, request).await;
        }));
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
    let Some(plan) = world.work.get(&request.gid) else {
        return;
    };
    let Some(behaviour) = plan.behaviour(&request.branch_id) else {
        return;
    };
    let key = (&request.gid, &request.branch_id);
    let visit = {
        let now = world.now();
        let state = &mut *world.state();
        if state.oracle.generation(&request.gid) != request.generation {
            return;
        }
        note_arrival(state, &request, now.ms);
        judge_payload(&world, state, &request);
        let moment = Moment {
            at_ms: now.ms,
            lease_ms: world.plan.knobs.lease_ms,
        };
        state.participants.arrive(
            key,
            (request.id, request.operation),
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
        if state.oracle.generation(&request.gid) != request.generation {
            return;
        }
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
        let sender_lives = match &request.sender {
            Sender::Coordinator { owner, .. } => state.oracle.is_alive(*owner),
            Sender::Initiator => true,
        };
        if !sender_lives {
            state.counts.fault(Fault::DeliveryAfterDeath);
        }
    }
    state
        .trace
        .note(at_ms, format_args!("  call {} arrives", request.id));
}

/// P8: every delivery from a coordinator carries what the store holds for its branch.
fn judge_payload(world: &World, state: &mut State, request: &Request) {
    let call = match &request.sender {
        Sender::Coordinator { call, .. } => call,
        Sender::Initiator => return,
    };
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
