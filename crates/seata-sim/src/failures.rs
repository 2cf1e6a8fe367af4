//! Draws what goes wrong between one server and the store: by chance, or because something is wrong with the store itself.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};

use seata_store::{Append, LeaseChange};
use seata_store_mem::{AppendFault, Faults, FaultyStore, OtherFault, StoreCall};

use crate::faults::Fault;
use crate::outage::{self, OutageKind};
use crate::plan::LATE_MAX_MS;
use crate::process::Life;
use crate::store::{DOWN_MS, Link};
use crate::world::{Phase, State, World, pause};

/// What goes wrong with an append.
#[derive(Debug, Clone, Copy)]
enum Mishap {
    CrashBefore,
    CrashAfter,
    ReplyLost,
    Late,
    Hang,
    Unavailable,
}

/// Draws what goes wrong between one life and the store.
pub(crate) struct Failures {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
    pub(crate) store: OnceLock<Weak<FaultyStore<Link>>>,
}

impl Failures {
    fn is_cut_off(&self) -> bool {
        self.world.now().ms < self.life.cut_off_until_ms.load(Ordering::Relaxed)
    }

    /// Notes a fault, and that what this life does next has an excuse.
    fn failed(&self, fault: Fault) {
        let until_ms = self.world.now().ms + self.world.plan.knobs.store_timeout_ms;
        let state = &mut *self.world.state();
        state.oracle.troubled(self.life.owner, until_ms);
        self.note(state, fault);
    }

    /// Notes that an append's answer is lost: that excuses less.
    fn lost_append(&self, fault: Fault, batch: &[Append]) {
        let now = self.world.now();
        let until_ms = now.ms + self.world.plan.knobs.store_timeout_ms;
        let state = &mut *self.world.state();
        state.oracle.lost_append(self.life.owner, until_ms);
        for append in batch {
            if append.lease == LeaseChange::Release {
                state.oracle.release_lost(self.life.owner, &append.gid, now);
            }
        }
        self.note(state, fault);
    }

    fn note(&self, state: &mut State, fault: Fault) {
        let now = self.world.now();
        state.counts.fault(fault);
        state.trace.note(
            now.ms,
            format_args!("fault at process {}: {}", self.life.process, fault.as_str()),
        );
    }

    fn draw_append(&self) -> Option<Mishap> {
        let rates = &self.world.plan.rates;
        let state = &mut *self.world.state();
        if state.phase == Phase::Healing {
            return None;
        }
        let chances = [
            (rates.crash_before_append, Mishap::CrashBefore),
            (rates.crash_after_append, Mishap::CrashAfter),
            (rates.append_reply_lost, Mishap::ReplyLost),
            (rates.append_late, Mishap::Late),
            (rates.append_hang, Mishap::Hang),
            (rates.append_unavailable, Mishap::Unavailable),
        ];
        chances
            .into_iter()
            .find(|(rate, _)| state.store.hits(*rate))
            .map(|(_, mishap)| mishap)
    }

    /// Has the batch that is held back applied after a while.
    fn release_later(&self) {
        let delay_ms = self.world.state().store.span(50..LATE_MAX_MS);
        // The network holds the batch, whether or not its sender still lives.
        let Some(store) = self.store.get().and_then(Weak::upgrade) else {
            return;
        };
        drop(tokio::spawn(async move {
            pause(delay_ms).await;
            store.release_late().await;
        }));
    }

    fn on_append_in(&self, kind: OutageKind) -> AppendFault {
        match kind {
            OutageKind::Refuses | OutageKind::Hangs | OutageKind::LosesReplies => {
                self.failed(kind.fault());
            }
            OutageKind::Slow => self.world.state().counts.fault(kind.fault()),
            OutageKind::PartRefuses | OutageKind::PartHangs => {}
        }
        match kind {
            OutageKind::Refuses => AppendFault::Unavailable,
            OutageKind::Hangs => AppendFault::Hang,
            OutageKind::LosesReplies => AppendFault::LostReply,
            OutageKind::Slow | OutageKind::PartRefuses | OutageKind::PartHangs => AppendFault::None,
        }
    }

    fn on_other_in(&self, kind: OutageKind) -> OtherFault {
        match kind {
            OutageKind::Refuses => OtherFault::Unavailable,
            OutageKind::Hangs => OtherFault::Hang,
            OutageKind::LosesReplies => OtherFault::HangAfter,
            OutageKind::Slow | OutageKind::PartRefuses | OutageKind::PartHangs => OtherFault::None,
        }
    }

    fn down_ms(&self) -> u64 {
        self.world.state().store.pick(&DOWN_MS)
    }
}

impl Faults for Failures {
    fn on_append(&self, batch: &[Append]) -> AppendFault {
        {
            let state = &mut *self.world.state();
            for append in batch {
                state.oracle.appending(self.life.owner, &append.gid);
            }
        }
        if self.is_cut_off() {
            self.failed(Fault::AppendUnavailable);
            return AppendFault::Unavailable;
        }
        if let Some(kind) = outage::now(&self.world) {
            return self.on_append_in(kind);
        }
        let Some(mishap) = self.draw_append() else {
            return AppendFault::None;
        };
        match mishap {
            Mishap::CrashBefore => {
                if let Some(process) = self.world.processes().get(self.life.process) {
                    process.crash(&self.world, Fault::CrashBeforeAppend, self.down_ms());
                }
                AppendFault::Hang
            }
            Mishap::CrashAfter => {
                self.life
                    .dies_when_applied
                    .store(self.down_ms(), Ordering::Relaxed);
                AppendFault::HangAfter
            }
            Mishap::ReplyLost => {
                self.lost_append(Fault::LostAppendReply, batch);
                AppendFault::LostReply
            }
            Mishap::Late => {
                self.lost_append(Fault::LateAppend, batch);
                self.release_later();
                AppendFault::AppliesLate
            }
            Mishap::Hang => {
                self.lost_append(Fault::AppendHang, batch);
                AppendFault::Hang
            }
            Mishap::Unavailable => {
                self.failed(Fault::AppendUnavailable);
                AppendFault::Unavailable
            }
        }
    }

    fn on_other(&self, call: StoreCall) -> OtherFault {
        if self.is_cut_off() {
            self.failed(Fault::StoreUnavailable);
            return OtherFault::Unavailable;
        }
        if let Some(kind) = outage::now(&self.world) {
            return self.on_other_in(kind);
        }
        let rates = &self.world.plan.rates;
        let (unavailable, hangs, after) = {
            let state = &mut *self.world.state();
            if state.phase == Phase::Healing {
                return OtherFault::None;
            }
            (
                state.store.hits(rates.store_unavailable),
                state.store.hits(rates.store_hang),
                state.store.hits(500),
            )
        };
        match (unavailable, hangs, call) {
            (true, _, _) => {
                self.failed(Fault::StoreUnavailable);
                OtherFault::Unavailable
            }
            (false, true, StoreCall::ClaimDue | StoreCall::Renew) if after => {
                self.failed(Fault::StoreHang);
                OtherFault::HangAfter
            }
            (false, true, _) => {
                self.failed(Fault::StoreHang);
                OtherFault::Hang
            }
            (false, false, _) => OtherFault::None,
        }
    }
}
