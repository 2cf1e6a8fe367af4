//! Runs one seed: faults first, then healing, then the last questions.

use std::sync::Arc;

use seata_core::planted::{self, Planted};
use tokio::runtime::Builder;

use crate::client::{ask_once, play};
use crate::faults::{Counts, Fault};
use crate::network::ms;
use crate::oracle::Violation;
use crate::panics;
use crate::plan::act::Demand;
use crate::plan::work::REQUEST_TIMEOUT_MAX_MS;
use crate::plan::{Incident, LATE_MAX_MS, Plan};
use crate::trace::Keep;
use crate::world::{Phase, World, pause};
use crate::{operator, outage};

/// What came of one seed.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// FNV-1a over everything that happened, in order.
    pub hash: u64,
    /// How many events that was.
    pub events: u64,
    /// Transactions that reached the store.
    pub transactions: u64,
    /// Virtual time, in ms.
    pub virtual_ms: u64,
    /// What went wrong on purpose.
    pub counts: Counts,
    /// Broken promises.
    pub violations: Vec<Violation>,
    /// Panics of the code under test, and records that it set aside: failures as well, though no finding of the oracle.
    pub panics: Vec<String>,
    /// What happened, if it was kept.
    pub lines: Vec<String>,
}

impl Outcome {
    /// Answers whether nothing was wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.panics.is_empty()
    }
}

/// Runs one seed on this thread, with a planted bug or none.
///
/// # Panics
/// The runtime can't be built.
#[must_use]
pub fn run(seed: u64, bug: Option<Planted>, keep: Keep) -> Outcome {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("invariant: a runtime of one thread without I/O can always be built");
    panics::listen();
    planted::plant(bug);
    let mut outcome = runtime.block_on(live(seed, keep, bug));
    // Whatever still runs ends here, before the bug is taken out.
    drop(runtime);
    planted::plant(None);
    outcome.panics.extend(panics::take());
    outcome
}

/// A planted bug is found with the first breach: some would have a server spin on after it, for ever at one moment.
async fn live(seed: u64, keep: Keep, bug: Option<Planted>) -> Outcome {
    let plan = Arc::new(Plan::draw(seed));
    let world = World::new(Arc::clone(&plan), keep);
    let found = Arc::clone(&world.state().oracle.found);
    tokio::select! {
        biased;
        () = found.notified(), if bug.is_some() => {}
        () = play_all(&world, &plan) => {}
    }
    report(&world)
}

async fn play_all(world: &Arc<World>, plan: &Plan) {
    world.people();
    for tx in &plan.transactions {
        for script in &tx.scripts {
            drop(tokio::spawn(play(
                Arc::clone(world),
                Arc::clone(tx),
                script.clone(),
            )));
        }
    }
    let operator = tokio::spawn(operator::work(Arc::clone(world)));
    let bounds = tokio::spawn(watch_bounds(Arc::clone(world)));
    befall(world).await;
    heal(world).await;
    operator.abort();
    settle(world).await;
    bounds.abort();
    conclude(world).await;
    for process in world.processes() {
        process.finish();
    }
}

/// Lets every incident happen at its time.
async fn befall(world: &Arc<World>) {
    for scheduled in &world.plan.incidents {
        world.until(scheduled.at_ms).await;
        if let Incident::Outage { kind, for_ms } = scheduled.incident {
            outage::begin(world, kind, for_ms);
            continue;
        }
        if let Incident::StoreJump { by_ms } = scheduled.incident {
            world.jump_store(by_ms);
            continue;
        }
        let Some(process) = world.processes().get(scheduled.process) else {
            continue;
        };
        match scheduled.incident {
            Incident::Crash { down_ms } => process.crash(world, Fault::CrashAtRandom, down_ms),
            Incident::Stop { grace_ms, down_ms } => process.stop(world, grace_ms, down_ms),
            Incident::Freeze { for_ms } => process.freeze(world, for_ms),
            Incident::Jump { by_ms } => process.jump(world, by_ms),
            Incident::CutOff { for_ms } => process.cut_off(world, for_ms),
            Incident::Outage { .. } | Incident::StoreJump { .. } => {}
        }
    }
    world.until(world.plan.faults_ms).await;
}

/// Ends all faults. What is late in the network still arrives; the operator still works.
async fn heal(world: &Arc<World>) {
    {
        let state = &mut *world.state();
        state.phase = Phase::Healing;
        state.outage = None;
    }
    world.note(format_args!("faults end"));
    for process in world.processes() {
        process.heal(world);
    }
    pause(LATE_MAX_MS + 2 * REQUEST_TIMEOUT_MAX_MS).await;
}

/// Waits until everything is final or STUCK, at most for the bound of P7.
async fn settle(world: &Arc<World>) {
    const LOOK_MS: u64 = 500;
    let since_ms = world.plan.faults_ms;
    loop {
        let now = world.now();
        {
            let state = &mut *world.state();
            if state.oracle.is_settled() {
                return;
            }
            if state.oracle.is_overdue(since_ms, now) {
                state.oracle.judge_overdue(since_ms, now);
                return;
            }
        }
        pause(LOOK_MS).await;
    }
}

/// P9: a server never holds more transactions than its bound.
async fn watch_bounds(world: Arc<World>) {
    const LOOK_MS: u64 = 700;
    let most = world.plan.knobs.active_max;
    loop {
        pause(LOOK_MS).await;
        for process in world.processes() {
            let Some(engine) = process.life().and_then(|life| life.engine()) else {
                continue;
            };
            let Ok(health) = tokio::time::timeout(ms(LOOK_MS), engine.health()).await else {
                continue;
            };
            if health.active > most {
                let what = format!(
                    "a server holds {} transactions, more than its bound of {most}",
                    health.active
                );
                world.state().oracle.broken_bound(world.now(), what);
                return;
            }
        }
    }
}

/// Asks once more for everything that was accepted, and judges every end.
async fn conclude(world: &Arc<World>) {
    let accepted = world.state().oracle.accepted();
    for gid in accepted {
        ask_once(world, &gid, Demand::Get).await;
    }
    let now = world.now();
    let state = &mut *world.state();
    let gids: Vec<_> = state.oracle.truths.keys().cloned().collect();
    for gid in gids {
        let stored = world.store.peek(&gid);
        state.oracle.judge_stored(&gid, stored.as_ref(), now);
    }
    state.oracle.judge_ends(&state.participants, now);
}

fn report(world: &World) -> Outcome {
    let virtual_ms = world.now().ms;
    let state = &mut *world.state();
    let transactions = u64::try_from(state.oracle.truths.len()).unwrap_or(u64::MAX);
    Outcome {
        seed: world.plan.seed,
        hash: state.trace.hash(),
        events: state.trace.events(),
        transactions,
        virtual_ms,
        counts: state.counts.clone(),
        violations: std::mem::take(&mut state.oracle.violations),
        panics: state.oracle.set_aside(),
        lines: state.trace.take_lines(),
    }
}
