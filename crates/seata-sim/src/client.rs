//! Clients: each plays a script against a random server, asks again when it hears nothing, and gives up some day.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use seata_core::{BranchIndex, End, Gid, Reason};
use seata_engine::{Engine, EngineError, Order, Snapshot, Waited};
use tokio::sync::oneshot;

use crate::faults::{Fault, Stray};
use crate::network::ms;
use crate::oracle::Asked;
use crate::plan::work::{Act, Content, Script, TxPlan};
use crate::process::Life;
use crate::world::{Phase, World, pause};

type Answer = Result<Snapshot, EngineError>;

/// One request as it goes over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) tx: Arc<TxPlan>,
    pub(crate) act: Act,
    /// Tells this order from all others.
    pub(crate) reason: String,
    /// When it was sent, in ms.
    pub(crate) sent_ms: u64,
}

/// What a client knows after one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// An answer that settles the request, whether yes or no.
    Answer,
    /// Nothing, or "try again".
    Nothing,
}

/// Plays a script.
pub(crate) async fn play(world: Arc<World>, tx: Arc<TxPlan>, script: Script) {
    world.until(script.at_ms).await;
    let mut done = Vec::new();
    for act in &script.acts {
        if world.is_healing() {
            return;
        }
        match *act {
            Act::Pause { for_ms } => pause(for_ms).await,
            Act::PauseForLapse { after_ms } => pause_for_lapse(&world, after_ms).await,
            Act::Begin(_)
            | Act::Add(_)
            | Act::Submit
            | Act::Run(_)
            | Act::Abort
            | Act::Wait { .. }
            | Act::Get
            | Act::Retry { .. }
            | Act::Skip { .. }
            | Act::ForceCommit
            | Act::ForceAbort => {
                if done.contains(act) {
                    world.state().counts.fault(Fault::DuplicateRequest);
                }
                insist(&world, &tx, *act, &script).await;
                done.push(*act);
            }
        }
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

/// Asks until there is an answer, at most so often.
async fn insist(world: &Arc<World>, tx: &Arc<TxPlan>, act: Act, script: &Script) {
    let reason = {
        let state = &mut *world.state();
        format!("{act:?}-{}", state.clients.span(0..u64::MAX))
    };
    let request = Request {
        tx: Arc::clone(tx),
        act,
        reason,
        sent_ms: 0,
    };
    let waits_ms = match act {
        Act::Wait { for_ms } => for_ms,
        Act::Begin(_)
        | Act::Add(_)
        | Act::Submit
        | Act::Run(_)
        | Act::Abort
        | Act::Get
        | Act::Retry { .. }
        | Act::Skip { .. }
        | Act::ForceCommit
        | Act::ForceAbort
        | Act::Pause { .. }
        | Act::PauseForLapse { .. } => 0,
    };
    for attempt in 0..script.tries {
        if attempt > 0 {
            if world.is_healing() {
                return;
            }
            world.state().counts.fault(Fault::DuplicateRequest);
        }
        if ask(world, request.clone(), script.patience_ms + waits_ms).await == Heard::Answer {
            return;
        }
        let pause_ms = world.state().clients.span(20..700);
        pause(pause_ms).await;
    }
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
    let gid = &request.tx.gid;
    let state = &mut *world.state();
    state.trace.note(
        now.ms,
        format_args!("client asks process {at}: {gid} {:?}", request.act),
    );
    match request.act {
        Act::Abort => state.oracle.abort_sent(gid),
        Act::Skip { .. } | Act::ForceCommit | Act::ForceAbort => state.oracle.override_sent(gid),
        Act::Begin(Content::Contrary) | Act::Run(Content::Contrary) => {
            state.counts.fault(Fault::ContraryRequest)
        }
        Act::Begin(_)
        | Act::Run(_)
        | Act::Add(_)
        | Act::Submit
        | Act::Wait { .. }
        | Act::Get
        | Act::Retry { .. }
        | Act::Pause { .. }
        | Act::PauseForLapse { .. } => {}
    }
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
        if let Some(order) = stray(request.act)
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
        Ok(snapshot) => format!("{} r{}", snapshot.status(), snapshot.header.revision.0),
        Err(error) => error.to_string(),
    };
    state.trace.note(
        now.ms,
        format_args!(
            "told by {:x}: {gid} {:?} -> {word}",
            owner.0 >> 96,
            request.act
        ),
    );
    state
        .oracle
        .told(gid, (&asked(request), request.sent_ms), answer, now);
    let heard = match answer {
        Ok(_)
        | Err(
            EngineError::NotFound { .. }
            | EngineError::GidConflict { .. }
            | EngineError::Rejected { .. }
            | EngineError::TooManyBranches { .. }
            | EngineError::Unreadable { .. }
            | EngineError::TooLarge,
        ) => Heard::Answer,
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

const fn stray(act: Act) -> Option<Stray> {
    match act {
        Act::Begin(_) | Act::Run(_) => Some(Stray::Create),
        Act::Add(_) => Some(Stray::AddBranch),
        Act::Submit => Some(Stray::Submit),
        Act::Abort => Some(Stray::Abort),
        Act::Wait { .. } => Some(Stray::Wait),
        Act::Retry { .. } => Some(Stray::Retry),
        Act::Skip { .. } => Some(Stray::Skip),
        Act::ForceCommit | Act::ForceAbort => Some(Stray::Force),
        Act::Get | Act::Pause { .. } | Act::PauseForLapse { .. } => None,
    }
}

fn asked(request: &Request) -> Asked {
    let tx = &request.tx;
    match request.act {
        Act::Begin(content) => Asked::Begin {
            fingerprint: tx.content(content).fingerprint,
        },
        Act::Run(content) => Asked::Run {
            fingerprint: tx.content(content).fingerprint,
        },
        Act::Add(at) => {
            let branch = tx.branch(at);
            Asked::Add {
                branch_id: branch.branch_id.clone(),
                fingerprint: branch.fingerprint,
            }
        }
        Act::Submit => Asked::Submit,
        Act::Abort => Asked::Abort,
        Act::Retry { .. } | Act::Skip { .. } | Act::ForceCommit | Act::ForceAbort => Asked::Order {
            reason: request.reason.clone(),
        },
        Act::Wait { .. } | Act::Get | Act::Pause { .. } | Act::PauseForLapse { .. } => Asked::Read,
    }
}

async fn carry_out(engine: &Engine, request: &Request) -> Answer {
    let tx = &request.tx;
    let gid = tx.gid.clone();
    let reason = Reason::new(&request.reason);
    match request.act {
        Act::Begin(content) => engine.begin(gid, Arc::clone(tx.content(content))).await,
        Act::Run(content) => engine.run(gid, Arc::clone(tx.content(content))).await,
        Act::Add(at) => engine.add_branch(gid, Arc::clone(tx.branch(at))).await,
        Act::Submit => engine.submit(gid).await,
        Act::Abort => engine.abort(gid, reason).await,
        Act::Wait { for_ms } => match engine.wait(gid, ms(for_ms)).await? {
            Waited::Settled(snapshot) | Waited::Pending(snapshot) => Ok(snapshot),
        },
        Act::Get | Act::Pause { .. } | Act::PauseForLapse { .. } => engine.get(&gid).await,
        Act::Retry { branch } => {
            let branch = branch.map(|at| tx.branch(at).branch_id.clone());
            engine.order(gid, Order::Retry { branch, reason }).await
        }
        Act::Skip { branch } => {
            let branch = tx.branch(branch).branch_id.clone();
            engine
                .order(
                    gid,
                    Order::Skip {
                        branch,
                        operation: None,
                        reason,
                    },
                )
                .await
        }
        Act::ForceCommit => {
            engine
                .order(
                    gid,
                    Order::Force {
                        to: End::Committed,
                        reason,
                    },
                )
                .await
        }
        Act::ForceAbort => {
            engine
                .order(
                    gid,
                    Order::Force {
                        to: End::Aborted,
                        reason,
                    },
                )
                .await
        }
    }
}

/// Asks once, with patience, for whoever orders or reads from outside of a script.
pub(crate) async fn ask_once(world: &Arc<World>, gid: &Gid, act: Act) {
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
    insist(world, &tx, act, &script).await;
}

/// Answers the branch of this position as scripts number them.
pub(crate) fn position(index: BranchIndex) -> usize {
    usize::try_from(index.0).unwrap_or(usize::MAX)
}
