//! Everything outside of the coordinators: time, the shared store, the network, the participants, and whoever watches.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use seata_core::{Gid, UnixMillis};
use seata_store_mem::MemStore;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::faults::{Counts, Fault};
use crate::network::Wires;
use crate::oracle::{Bound, Now, Oracle};
use crate::outage::Outage;
use crate::participant::Participants;
use crate::plan::Plan;
use crate::plan::work::TxPlan;
use crate::process::Process;
use crate::trace::{Keep, Trace};

/// The store's time at the beginning of every run.
const EPOCH_MS: i64 = 1_000_000_000_000;

/// Whether things still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Faults,
    Healing,
}

/// What changes.
pub(crate) struct State {
    pub(crate) trace: Trace,
    pub(crate) counts: Counts,
    pub(crate) oracle: Oracle,
    pub(crate) participants: Participants,
    pub(crate) wires: Wires,
    pub(crate) network: Dice,
    pub(crate) store: Dice,
    pub(crate) clients: Dice,
    pub(crate) processes: Dice,
    pub(crate) phase: Phase,
    pub(crate) outage: Option<Outage>,
}

/// One run's world.
pub(crate) struct World {
    start: Instant,
    /// How far the store's clock has jumped in all.
    store_jumped_ms: Arc<AtomicU64>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) store: MemStore,
    pub(crate) work: BTreeMap<Gid, Arc<TxPlan>>,
    state: Mutex<State>,
    processes: OnceLock<Vec<Arc<Process>>>,
    /// When the last process died, 0: none has. For clients that wait for its leases to run out.
    pub(crate) died_ms: AtomicU64,
    /// Wakes those who wait for the next death, in the order in which they came. (A watch channel draws the order.)
    pub(crate) death: Notify,
    /// Wakes those who wait for the next purge.
    pub(crate) purge: Notify,
}

impl World {
    /// Makes the world of a plan. Must be called within the runtime whose time it lives by.
    pub(crate) fn new(plan: Arc<Plan>, keep: Keep) -> Arc<Self> {
        let start = Instant::now();
        let store_jumped_ms = Arc::<AtomicU64>::default();
        let jumped_ms = Arc::clone(&store_jumped_ms);
        let store = MemStore::new(Arc::new(move || {
            let ms = elapsed_ms(start) + jumped_ms.load(Ordering::Relaxed);
            UnixMillis(EPOCH_MS + ms.cast_signed())
        }));
        let stream = |stream| Dice::new(plan.seed, stream);
        let state = State {
            trace: Trace::new(keep),
            counts: Counts::default(),
            oracle: Oracle::new(&plan.knobs, Bound::of(&plan)),
            participants: Participants::default(),
            wires: Wires::default(),
            network: stream(10),
            store: stream(11),
            clients: stream(12),
            processes: stream(13),
            phase: Phase::Faults,
            outage: None,
        };
        let work = plan
            .transactions
            .iter()
            .map(|tx| (tx.gid.clone(), Arc::clone(tx)))
            .collect();
        Arc::new(Self {
            start,
            store_jumped_ms,
            store,
            work,
            state: Mutex::new(state),
            processes: OnceLock::new(),
            died_ms: AtomicU64::new(0),
            death: Notify::new(),
            purge: Notify::new(),
            plan,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Now {
        let ms = elapsed_ms(self.start);
        Now {
            ms,
            store: UnixMillis(
                EPOCH_MS + (ms + self.store_jumped_ms.load(Ordering::Relaxed)).cast_signed(),
            ),
        }
    }

    /// Lets the store's clock jump forward, as when another machine takes its place.
    pub(crate) fn jump_store(&self, by_ms: u64) {
        self.store_jumped_ms.fetch_add(by_ms, Ordering::Relaxed);
        let now = self.now();
        let state = &mut *self.state();
        state.counts.fault(Fault::StoreJump);
        state.oracle.store_jumped(by_ms, now);
        state.trace.note(
            now.ms,
            format_args!("the store's clock jumps by {by_ms} ms"),
        );
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let ms = self.now().ms;
        self.state().trace.note(ms, what);
    }

    pub(crate) fn is_healing(&self) -> bool {
        self.state().phase == Phase::Healing
    }

    /// Sleeps until this time of the run.
    pub(crate) async fn until(&self, at_ms: u64) {
        tokio::time::sleep_until(self.start + Duration::from_millis(at_ms)).await;
    }

    /// Brings the processes in.
    pub(crate) fn people(self: &Arc<Self>) {
        let processes = (0..self.plan.processes)
            .map(|index| Arc::new(Process::new(index)))
            .collect();
        if self.processes.set(processes).is_err() {
            unreachable!("invariant: a world is peopled once");
        }
        for process in self.processes() {
            process.boot(self);
        }
    }

    pub(crate) fn processes(&self) -> &[Arc<Process>] {
        self.processes.get().map(Vec::as_slice).unwrap_or_default()
    }
}

fn elapsed_ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Waits so many ms.
pub(crate) async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
