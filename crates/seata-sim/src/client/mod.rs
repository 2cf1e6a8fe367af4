//! Clients: each plays a script against a random server, asks again when it hears nothing, and gives up some day.
//!
//! `demand` says what each question is to an engine, `memory` is what a client knows from its own script.

mod demand;
mod memory;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use seata_core::Gid;
use seata_engine::{Engine, EngineError, TryAnswer};
use tokio::sync::oneshot;

pub(crate) use demand::{Answer, Said};

use crate::client::demand::{asked, carry_out, stray};
use crate::client::memory::{Memory, finish};
use crate::faults::Fault;
use crate::network::ms;
use crate::plan::act::{Act, Demand, Script};
use crate::plan::work::TxPlan;
use crate::process::Life;
use crate::world::{Phase, World, pause};

/// One request as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) tx: Arc<TxPlan>,
    pub(crate) demand: Demand,
    /// Tells this order from all others.
    pub(crate) reason: String,
    /// When it was sent, in ms.
    pub(crate) sent_ms: u64,
}

/// What a client knows after one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Yes,
    No,
    /// Nothing, or "try again".
    Nothing,
}

/// Plays a script.
pub(crate) async fn play(world: Arc<World>, tx: Arc<TxPlan>, script: Script) {
    world.until(script.at_ms).await;
    let mut done = Vec::new();
    let mut memory = Memory::default();
    for act in &script.acts {
        if world.is_healing() {
            return;
        }
        let demand = match *act {
            Act::Ask(demand) => Some(demand),
            Act::Decide => Some(memory.decide(&tx)),
            Act::TellTry(branch) => memory.tell(branch),
            Act::Finish { branch, how } => finish(&world, &tx, branch, how),
            Act::OwnTry(branch) => {
                memory.own_try(&world, &tx, branch, &script).await;
                None
            }
            Act::Pause { for_ms } => {
                pause(for_ms).await;
                None
            }
            Act::PauseForPurge => {
                pause_for_purge(&world, &tx.gid).await;
                None
            }
            Act::PauseForLapse { after_ms } => {
                pause_for_lapse(&world, after_ms).await;
                None
            }
        };
        let Some(demand) = demand else { continue };
        if done.contains(&demand) {
            world.state().counts.fault(Fault::DuplicateRequest);
        }
        let heard = insist(&world, &tx, demand, &script).await;
        memory.learn(&tx, demand, heard);
        done.push(demand);
    }
}

/// Waits until some server has died and its leases have just run out: then an order may find nobody in charge.
async fn pause_for_lapse(world: &World, after_ms: u64) {
    let known = world.died_ms.load(Ordering::Relaxed);
    let lapses_in = world.plan.knobs.lease_ms;
    let died_at = if known > 0 && known + lapses_in > world.now().ms {
        known
    } else {
        // None dies any more: then there is nothing to wait for.
        let patience = ms(world.plan.faults_ms);
        match tokio::time::timeout(patience, world.death.notified()).await {
            Ok(()) => world.died_ms.load(Ordering::Relaxed),
            Err(_) => return,
        }
    };
    world.until(died_at + lapses_in + after_ms).await;
}

/// Waits until a transaction is purged, or the faults end.
async fn pause_for_purge(world: &World, gid: &Gid) {
    let purged = async {
        loop {
            let another = world.purge.notified();
            tokio::pin!(another);
            another.as_mut().enable();
            if world.state().oracle.is_purged(gid) {
                return;
            }
            another.await;
        }
    };
    tokio::select! {
        biased;
        () = purged => {}
        () = world.until(world.plan.faults_ms) => {}
    }
}

/// Asks until there is an answer, at most so often.
async fn insist(world: &Arc<World>, tx: &Arc<TxPlan>, demand: Demand, script: &Script) -> Heard {
    let reason = {
        let state = &mut *world.state();
        format!("{demand:?}-{}", state.clients.span(0..u64::MAX))
    };
    let request = Request {
        tx: Arc::clone(tx),
        demand,
        reason,
        sent_ms: 0,
    };
    let waits_ms = if let Demand::Wait { for_ms } = demand {
        for_ms
    } else {
        0
    };
    for attempt in 0..script.tries {
        if attempt > 0 {
            if world.is_healing() {
                return Heard::Nothing;
            }
            world.state().counts.fault(Fault::DuplicateRequest);
        }
        match ask(world, request.clone(), script.patience_ms + waits_ms).await {
            Heard::Nothing => {}
            heard @ (Heard::Yes | Heard::No) => return heard,
        }
        let pause_ms = world.state().clients.span(20..700);
        pause(pause_ms).await;
    }
    Heard::Nothing
}

/// Sends a request to a random server and waits for its answer.
async fn ask(world: &Arc<World>, request: Request, patience_ms: u64) -> Heard {
    let request = Request {
        sent_ms: world.now().ms,
        ..request
    };
    let (at, there_ms, lost) = {
        let rates = &world.plan.rates;
        let state = &mut *world.state();
        let faulty = state.phase == Phase::Faults;
        let lost = faulty && state.clients.hits(rates.client_request_lost);
        (
            state.clients.below(world.plan.processes),
            state.clients.span(1..4),
            lost,
        )
    };
    note_sent(world, &request, at);
    pause(there_ms).await;
    if lost {
        world.state().counts.fault(Fault::ClientRequestLost);
        pause(patience_ms).await;
        return Heard::Nothing;
    }
    let Some(life) = world.processes().get(at).and_then(|process| process.life()) else {
        return Heard::Nothing;
    };
    let Some(engine) = life.engine() else {
        return Heard::Nothing;
    };
    let (reply, mut answer) = oneshot::channel();
    serve(world, &life, engine, request, reply);
    match tokio::time::timeout(ms(patience_ms), &mut answer).await {
        Ok(Ok(heard)) => heard,
        Ok(Err(_)) => Heard::Nothing,
        Err(_) => {
            let state = &mut *world.state();
            state.counts.fault(Fault::ClientGaveUp);
            Heard::Nothing
        }
    }
}

fn note_sent(world: &World, request: &Request, at: usize) {
    let now = world.now();
    let state = &mut *world.state();
    state.trace.note(
        now.ms,
        format_args!(
            "client asks process {at}: {} {:?}",
            request.tx.gid, request.demand
        ),
    );
    demand::note(state, request);
}

/// Has the server work on a request. If its client goes away, some servers stop working on it.
fn serve(
    world: &Arc<World>,
    life: &Arc<Life>,
    engine: Engine,
    request: Request,
    mut reply: oneshot::Sender<Heard>,
) {
    let breaks_off = {
        let rate = world.plan.rates.breaks_off;
        let now = world.now();
        let state = &mut *world.state();
        if let Some(order) = stray(request.demand)
            && state.oracle.is_stray(&request.tx.gid, life.owner, now)
        {
            state.counts.stray(order);
        }
        state.clients.hits(rate)
    };
    let (world, owner) = (Arc::clone(world), life.owner);
    life.run(async move {
        let answer = {
            let work = carry_out(&engine, &request);
            tokio::pin!(work);
            tokio::select! {
                biased;
                answer = &mut work => answer,
                () = reply.closed(), if breaks_off => return,
            }
        };
        let (heard, back_ms) = judge(&world, owner, &request, &answer);
        if let Some(back_ms) = back_ms {
            // The answer travels by itself: the server may die meanwhile.
            drop(tokio::spawn(async move {
                pause(back_ms).await;
                let _ = reply.send(heard);
            }));
        }
    });
}

/// Shows the oracle what the server says at the moment at which it says it. Answers how long the way back takes.
fn judge(
    world: &World,
    owner: seata_store::Owner,
    request: &Request,
    answer: &Answer,
) -> (Heard, Option<u64>) {
    let now = world.now();
    let gid = &request.tx.gid;
    let state = &mut *world.state();
    let word = match answer {
        Ok(said) => {
            let header = &said.snapshot.header;
            format!(
                "{} r{} {:?}",
                said.snapshot.status(),
                header.revision.0,
                said.tried
            )
        }
        Err(error) => error.to_string(),
    };
    state.trace.note(
        now.ms,
        format_args!(
            "told by {:x}: {gid} {:?} -> {word}",
            owner.0 >> 96,
            request.demand
        ),
    );
    let asked = (&asked(request), request.sent_ms);
    state
        .oracle
        .told(gid, asked, answer, &state.participants, now);
    let heard = match answer {
        Ok(said) => match &said.tried {
            None | Some(TryAnswer::Succeeded) => Heard::Yes,
            Some(TryAnswer::Refused { .. }) => Heard::No,
            Some(TryAnswer::NotKnown { .. }) => Heard::Nothing,
        },
        Err(
            EngineError::NotFound { .. }
            | EngineError::GidConflict { .. }
            | EngineError::Rejected { .. }
            | EngineError::TooManyBranches { .. }
            | EngineError::Unreadable { .. }
            | EngineError::TooLarge,
        ) => Heard::No,
        Err(EngineError::Overloaded { .. }) => {
            state.counts.fault(Fault::Overloaded);
            Heard::Nothing
        }
        Err(
            EngineError::StoreUnavailable { .. } | EngineError::StoreFull | EngineError::Stopping,
        ) => Heard::Nothing,
    };
    let lost =
        state.phase == Phase::Faults && state.clients.hits(world.plan.rates.client_reply_lost);
    if lost {
        state.counts.fault(Fault::ClientReplyLost);
        return (heard, None);
    }
    (heard, Some(state.clients.span(1..4)))
}

/// Asks once, with patience, for whoever orders or reads from outside of a script.
pub(crate) async fn ask_once(world: &Arc<World>, gid: &Gid, demand: Demand) {
    /// Reads and orders answer within a few questions to the store.
    const PATIENCE_MS: u64 = 3_000;
    let Some(tx) = world.work.get(gid).cloned() else {
        return;
    };
    let script = Script {
        at_ms: 0,
        acts: Vec::new(),
        patience_ms: PATIENCE_MS,
        tries: 1,
    };
    insist(world, &tx, demand, &script).await;
}
