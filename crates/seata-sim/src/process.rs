//! One server: it starts, dies, stands still, is stopped, and its clock jumps. What runs in it knows nothing of that.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seata_engine::{Clock, Config, Engine, Task};
use seata_store::Owner;
use tokio::task::AbortHandle;

use crate::faults::Fault;
use crate::network::{Wire, ms};
use crate::oracle::Pulse;
use crate::store;
use crate::world::{World, pause};

/// One server's place: it lives there several times.
pub(crate) struct Process {
    index: usize,
    life: Mutex<Option<Arc<Life>>>,
    /// How far the machine's clock has jumped in all.
    jumped_ms: Arc<AtomicU64>,
}

/// One start of the server.
pub(crate) struct Life {
    pub(crate) owner: Owner,
    pub(crate) process: usize,
    gate: Arc<Gate>,
    engine: Mutex<Option<Engine>>,
    /// Until when it can't reach the store.
    pub(crate) cut_off_until_ms: AtomicU64,
    /// Whether the next append that is applied kills it.
    pub(crate) dies_when_applied: AtomicU64,
}

enum Passage {
    Open,
    /// Standing still; these wait to go on.
    Shut(Vec<Waker>),
    Dead,
}

/// Lets the tasks of one life run, or not.
struct Gate {
    passage: Mutex<Passage>,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Gate {
    const fn new() -> Self {
        Self {
            passage: Mutex::new(Passage::Open),
            tasks: Mutex::new(Vec::new()),
        }
    }

    fn passage(&self) -> MutexGuard<'_, Passage> {
        self.passage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(self: &Arc<Self>, task: Task) {
        let handle = tokio::spawn(Gated {
            gate: Arc::clone(self),
            task,
        })
        .abort_handle();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.len() >= 256 {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(handle);
    }

    fn shut(&self) {
        let mut passage = self.passage();
        match &*passage {
            Passage::Open => *passage = Passage::Shut(Vec::new()),
            Passage::Shut(_) | Passage::Dead => {}
        }
    }

    fn open(&self) {
        let mut passage = self.passage();
        let waiting = match &mut *passage {
            Passage::Shut(waiting) => std::mem::take(waiting),
            Passage::Open | Passage::Dead => return,
        };
        *passage = Passage::Open;
        drop(passage);
        waiting.into_iter().for_each(Waker::wake);
    }

    fn kill(&self) {
        *self.passage() = Passage::Dead;
        for task in std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
        {
            task.abort();
        }
    }
}

struct Gated {
    gate: Arc<Gate>,
    task: Task,
}

impl Future for Gated {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self.gate.passage() {
            Passage::Open => {}
            Passage::Shut(waiting) => {
                waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            Passage::Dead => return Poll::Ready(()),
        }
        self.task.as_mut().poll(context)
    }
}

/// The clock and the tasks of one life.
struct Host {
    world: Arc<World>,
    gate: Arc<Gate>,
    base_ms: u64,
    jumped_ms: Arc<AtomicU64>,
}

impl Clock for Host {
    fn boot(&self) -> Duration {
        ms(self.base_ms + self.world.now().ms + self.jumped_ms.load(Ordering::Relaxed))
    }

    fn spawn(&self, task: Task) {
        self.gate.run(task);
    }
}

impl Life {
    /// Answers the engine, once it has started.
    pub(crate) fn engine(&self) -> Option<Engine> {
        self.engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_engine(&self, engine: Option<Engine>) {
        *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    /// Runs a task in this process: it stands still and dies with it.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.gate.run(Box::pin(task));
    }
}

impl Process {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            life: Mutex::new(None),
            jumped_ms: Arc::default(),
        }
    }

    /// Answers the present life. None: it is down.
    pub(crate) fn life(&self) -> Option<Arc<Life>> {
        self.life
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_life(&self, life: Option<Arc<Life>>) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = life;
    }

    /// Starts the server, unless it runs.
    pub(crate) fn boot(self: &Arc<Self>, world: &Arc<World>) {
        if self.life().is_some() {
            return;
        }
        let now = world.now();
        let (owner, base_ms) = {
            let state = &mut *world.state();
            let owner = Owner(state.processes.bits());
            let base_ms = state.processes.span(1_000..100_000_000);
            state.oracle.started(owner, now);
            state.trace.note(
                now.ms,
                format_args!("process {} starts as {:x}", self.index, owner.0 >> 96),
            );
            (owner, base_ms)
        };
        let gate = Arc::new(Gate::new());
        let life = Arc::new(Life {
            owner,
            process: self.index,
            gate: Arc::clone(&gate),
            engine: Mutex::new(None),
            cut_off_until_ms: AtomicU64::new(0),
            dies_when_applied: AtomicU64::new(0),
        });
        let clock = Arc::new(Host {
            world: Arc::clone(world),
            gate,
            base_ms,
            jumped_ms: Arc::clone(&self.jumped_ms),
        });
        self.set_life(Some(Arc::clone(&life)));
        let (world, started) = (Arc::clone(world), Arc::clone(&life));
        life.run(async move { start(world, started, clock).await });
    }

    /// Kills the server; it starts again after a while.
    pub(crate) fn crash(self: &Arc<Self>, world: &Arc<World>, fault: Fault, down_ms: u64) {
        let Some(life) = self.life() else { return };
        world.state().counts.fault(fault);
        world.note(format_args!(
            "process {} dies: {}",
            self.index,
            fault.as_str()
        ));
        self.end(world, &life, down_ms);
    }

    /// Ends a life without a successor.
    fn bury(&self, life: &Life) {
        life.gate.kill();
        life.set_engine(None);
        self.set_life(None);
    }

    /// Ends the last life, so that nothing holds on to the world.
    pub(crate) fn finish(&self) {
        if let Some(life) = self.life() {
            self.bury(&life);
        }
    }

    /// Ends a life, whatever ended it.
    fn end(self: &Arc<Self>, world: &Arc<World>, life: &Arc<Life>, down_ms: u64) {
        self.bury(life);
        let now = world.now();
        world.state().oracle.pulse(life.owner, Pulse::Dead, now);
        world.died_ms.store(now.ms, Ordering::Relaxed);
        world.death.notify_waiters();
        let (process, world) = (Arc::clone(self), Arc::clone(world));
        drop(tokio::spawn(async move {
            pause(down_ms).await;
            process.boot(&world);
        }));
    }

    /// Stands still for a while, as under SIGSTOP.
    pub(crate) fn freeze(self: &Arc<Self>, world: &Arc<World>, for_ms: u64) {
        let Some(life) = self.life() else { return };
        {
            let now = world.now();
            let state = &mut *world.state();
            let past = for_ms > world.plan.knobs.lease_ms;
            state.counts.fault(if past {
                Fault::FreezePastLease
            } else {
                Fault::Freeze
            });
            state.oracle.pulse(life.owner, Pulse::Frozen, now);
            state.trace.note(
                now.ms,
                format_args!("process {} stands still for {for_ms} ms", self.index),
            );
        }
        life.gate.shut();
        let world = Arc::clone(world);
        drop(tokio::spawn(async move {
            pause(for_ms).await;
            thaw(&world, &life);
        }));
    }

    /// Tells the server to stop, and starts it again after a while.
    pub(crate) fn stop(self: &Arc<Self>, world: &Arc<World>, grace_ms: u64, down_ms: u64) {
        /// A server that does not stop is killed, as its supervisor would.
        const PATIENCE_MS: u64 = 12_000;
        let Some(life) = self.life() else { return };
        let Some(engine) = life.engine() else { return };
        {
            let now = world.now();
            let state = &mut *world.state();
            state.counts.fault(Fault::Stop);
            state.oracle.pulse(life.owner, Pulse::Stopping, now);
            state.trace.note(
                now.ms,
                format_args!("process {} is told to stop", self.index),
            );
        }
        let (stopped, has_stopped) = tokio::sync::oneshot::channel();
        life.run(async move {
            engine.stop(ms(grace_ms)).await;
            // The supervisor may have lost its patience.
            let _ = stopped.send(());
        });
        let (process, world) = (Arc::clone(self), Arc::clone(world));
        drop(tokio::spawn(async move {
            let in_time = tokio::time::timeout(ms(grace_ms + PATIENCE_MS), has_stopped).await;
            if process
                .life()
                .is_some_and(|present| present.owner == life.owner)
            {
                world.note(format_args!(
                    "process {} has stopped: {}",
                    process.index,
                    in_time.is_ok()
                ));
                process.end(&world, &life, down_ms);
            }
        }));
    }

    /// Lets the machine's clock jump forward.
    pub(crate) fn jump(&self, world: &World, by_ms: u64) {
        self.jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
        let now = world.now();
        let state = &mut *world.state();
        state.counts.fault(Fault::ClockJump);
        state.trace.note(
            now.ms,
            format_args!("the clock of process {} jumps by {by_ms} ms", self.index),
        );
        if let Some(life) = self.life() {
            state.oracle.jumped(life.owner, by_ms, now);
        }
    }

    /// Cuts the server off from the store for a while.
    pub(crate) fn cut_off(&self, world: &World, for_ms: u64) {
        let Some(life) = self.life() else { return };
        let now = world.now();
        life.cut_off_until_ms
            .store(now.ms + for_ms, Ordering::Relaxed);
        let state = &mut *world.state();
        state.counts.fault(Fault::StorePartition);
        state.oracle.troubled(life.owner, now.ms + for_ms);
        state.trace.note(
            now.ms,
            format_args!(
                "process {} is cut off from the store for {for_ms} ms",
                self.index
            ),
        );
    }

    /// Ends whatever keeps the server from working.
    pub(crate) fn heal(self: &Arc<Self>, world: &Arc<World>) {
        match self.life() {
            Some(life) => {
                life.cut_off_until_ms.store(0, Ordering::Relaxed);
                thaw(world, &life);
            }
            None => self.boot(world),
        }
    }
}

fn thaw(world: &World, life: &Life) {
    let frozen = match &*life.gate.passage() {
        Passage::Shut(_) => true,
        Passage::Open | Passage::Dead => false,
    };
    if frozen {
        let now = world.now();
        {
            let state = &mut *world.state();
            state.oracle.pulse(life.owner, Pulse::Alive, now);
            state
                .trace
                .note(now.ms, format_args!("process {} goes on", life.process));
        }
        life.gate.open();
    }
}

/// Starts the engine, again and again while the store can't be reached.
async fn start(world: Arc<World>, life: Arc<Life>, clock: Arc<Host>) {
    const AGAIN_MS: u64 = 200;
    let store = store::link(&world, &life);
    let caller = Arc::new(Wire::new(&world, life.owner));
    let config = config(&world, life.owner);
    loop {
        let clock = Arc::clone(&clock);
        let store = Arc::clone(&store);
        let started = Engine::start(store, Arc::clone(&caller) as _, clock, config.clone()).await;
        if let Ok(engine) = started {
            life.set_engine(Some(engine));
            return;
        }
        pause(AGAIN_MS).await;
    }
}

fn config(world: &World, owner: Owner) -> Config {
    let knobs = &world.plan.knobs;
    Config {
        lease: knobs.lease(),
        active_max: knobs.active_max,
        waiters_max: knobs.waiters_max,
        linger: ms(knobs.linger_ms),
        claim_interval: ms(knobs.claim_interval_ms),
        claim_count_max: knobs.claim_count_max,
        store_timeout: ms(knobs.store_timeout_ms),
        ended_kept_max: knobs.ended_kept_max,
        retention: ms(knobs.retention_ms),
        purge_interval: ms(knobs.purge_interval_ms),
        ..Config::new(owner)
    }
}
