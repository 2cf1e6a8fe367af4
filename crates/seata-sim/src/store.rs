//! One process's way to the shared store: it takes time, it fails, and the oracle watches what is applied.
//!
//! What was handed over is done whether or not its sender still lives, as by a real server.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{FencingToken, Gid, UnixMillis};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Expected, Header, Held, ListQuery, Owner, Page, StoreError,
    StoreErrorKind, StoreLimits, Stored, TxnStore, record,
};
use seata_store_mem::{AppendFault, Faults, FaultyStore, MemStore, OtherFault, StoreCall};
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::faults::Fault;
use crate::oracle::Now;
use crate::outage::{self, OutageKind, SLOW_MAX_MS, is_in_dead_part};
use crate::plan::LATE_MAX_MS;
use crate::process::Life;
use crate::world::{Phase, State, World, pause};

/// How long a process that died at the store stays down, in ms.
const DOWN_MS: [u64; 4] = [20, 300, 1_000, 6_000];

/// Makes the way to the store for one life.
pub(crate) fn link(world: &Arc<World>, life: &Arc<Life>) -> Arc<dyn TxnStore> {
    let link = Link {
        world: Arc::clone(world),
        life: Arc::clone(life),
        inner: world.store.clone(),
    };
    let failures = Arc::new(Failures {
        world: Arc::clone(world),
        life: Arc::clone(life),
        store: OnceLock::new(),
    });
    let store = Arc::new(FaultyStore::new(
        link,
        Arc::clone(&failures) as Arc<dyn Faults>,
    ));
    // Set once: the failures were made above.
    drop(failures.store.set(Arc::downgrade(&store)));
    store
}

/// The wire and the store behind it.
struct Link {
    world: Arc<World>,
    life: Arc<Life>,
    inner: MemStore,
}

impl Link {
    fn delays(&self) -> (u64, u64) {
        let slow = outage::now(&self.world) == Some(OutageKind::Slow);
        let dice: &mut Dice = &mut self.world.state().store;
        let (there_ms, back_ms) = (dice.span(1..4), dice.span(1..3));
        if slow {
            return (
                there_ms + dice.span(50..SLOW_MAX_MS),
                back_ms + dice.span(50..SLOW_MAX_MS),
            );
        }
        (there_ms, back_ms)
    }

    /// Waits as long as a dead part of the store keeps one waiting. Answers whether there is one.
    async fn dead_part(&self) -> bool {
        let kind = outage::now(&self.world);
        match kind {
            Some(OutageKind::PartRefuses) => {}
            Some(OutageKind::PartHangs) => {
                pause(self.world.plan.knobs.store_timeout_ms * 3 / 4).await
            }
            Some(
                OutageKind::Refuses
                | OutageKind::Hangs
                | OutageKind::Slow
                | OutageKind::LosesReplies,
            )
            | None => return false,
        }
        let now = self.world.now();
        let state = &mut *self.world.state();
        state
            .counts
            .fault(kind.map_or(Fault::PartRefuses, OutageKind::fault));
        state.oracle.troubled(
            self.life.owner,
            now.ms + self.world.plan.knobs.store_timeout_ms,
        );
        true
    }

    /// Answers whether what is asked lies in a part of the store that is dead; waits for it then.
    async fn lies_dead<'a>(&self, mut gids: impl Iterator<Item = &'a Gid>) -> bool {
        gids.any(is_in_dead_part) && self.dead_part().await
    }

    async fn append_all(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        let count = batch.len();
        let work = apply(
            Arc::clone(&self.world),
            Arc::clone(&self.life),
            self.inner.clone(),
            batch,
        );
        match self.ask(work).await {
            Ok(answers) => answers,
            Err(error) => (0..count).map(|_| Err(error.clone())).collect(),
        }
    }

    /// Does something at the store, after the way there and before the way back, whoever still waits for it.
    async fn ask<T: Send + 'static>(
        &self,
        what: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (there_ms, back_ms) = self.delays();
        let (reply, answer) = oneshot::channel();
        drop(tokio::spawn(async move {
            pause(there_ms).await;
            let done = what.await;
            pause(back_ms).await;
            // Whoever asked may be dead.
            drop(reply.send(done));
        }));
        let lost = |_| StoreError::new(StoreErrorKind::Ambiguous, "asking", "the answer is lost");
        answer.await.map_err(lost)
    }
}

fn dead_part() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "asking",
        "its part of the store is dead",
    )
}

/// Applies a batch and shows it to the oracle.
async fn apply(
    world: Arc<World>,
    life: Arc<Life>,
    inner: MemStore,
    batch: Vec<Append>,
) -> Vec<Result<AppendOutcome, StoreError>> {
    let answers = inner.append(batch.clone()).await;
    let now = world.now();
    {
        let state = &mut *world.state();
        for (append, answer) in batch.iter().zip(&answers) {
            show(state, life.owner, append, answer, now);
        }
    }
    let down_ms = life.dies_when_applied.load(Ordering::Relaxed);
    if down_ms > 0
        && let Some(process) = world.processes().get(life.process)
        && process
            .life()
            .is_some_and(|present| present.owner == life.owner)
    {
        process.crash(&world, Fault::CrashAfterAppend, down_ms);
    }
    answers
}

/// Kills the process that has just claimed something, some times.
fn die_of_claim(world: &Arc<World>, life: &Life) {
    let down_ms = {
        let state = &mut *world.state();
        let dies =
            state.phase == Phase::Faults && state.store.hits(world.plan.rates.crash_after_claim);
        if !dies {
            return;
        }
        state.store.pick(&DOWN_MS)
    };
    if let Some(process) = world.processes().get(life.process)
        && process
            .life()
            .is_some_and(|present| present.owner == life.owner)
    {
        process.crash(world, Fault::CrashAfterClaim, down_ms);
    }
}

/// Shows the oracle what a purge has removed of what was there before.
fn show_purged(world: &World, before: &[Header]) {
    let gone: Vec<Header> = before
        .iter()
        .filter(|header| world.store.peek(&header.gid).is_none())
        .cloned()
        .collect();
    let now = world.now();
    let state = &mut *world.state();
    for header in &gone {
        state.trace.note(
            now.ms,
            format_args!("purged {} {}", header.gid, header.status),
        );
    }
    let retention = Duration::from_millis(world.plan.knobs.retention_ms);
    state
        .oracle
        .purged(&gone, retention, &mut state.counts, now);
    world.purge.notify_waiters();
}

fn show(
    state: &mut State,
    owner: Owner,
    append: &Append,
    answer: &Result<AppendOutcome, StoreError>,
    now: Now,
) {
    match answer {
        Ok(AppendOutcome::Applied(revision)) => {
            let events =
                record::decode(std::slice::from_ref(append.chunk.bytes())).unwrap_or_default();
            if append.expected == Expected::Absent && state.oracle.is_purged(&append.gid) {
                state.counts.fault(Fault::Reuse);
                state.oracle.reused(&append.gid, &state.participants, now);
                state.participants.forget(&append.gid);
            }
            let words: Vec<&str> = events.iter().map(|event| event.fact.as_str()).collect();
            state.trace.note(
                now.ms,
                format_args!(
                    "applied {} r{} {} {words:?} {:?} wake {:?} by {:x}",
                    append.gid,
                    revision.0,
                    append.status,
                    append.lease,
                    append.wake_at,
                    owner.0 >> 96
                ),
            );
            state
                .oracle
                .applied(owner, append, &events, &mut state.counts, now);
        }
        Ok(refused @ (AppendOutcome::Exists(_) | AppendOutcome::Stale | AppendOutcome::Fenced)) => {
            let word = match refused {
                AppendOutcome::Exists(_) => "exists",
                AppendOutcome::Stale => "stale",
                AppendOutcome::Fenced | AppendOutcome::Applied(_) => "fenced",
            };
            state.trace.note(
                now.ms,
                format_args!(
                    "refused {} {:?}: {word} by {:x}",
                    append.gid,
                    append.expected,
                    owner.0 >> 96
                ),
            );
            state.oracle.not_applied(&append.gid);
        }
        Err(error) => state
            .trace
            .note(now.ms, format_args!("refused {}: {error}", append.gid)),
    }
}

#[async_trait]
impl TxnStore for Link {
    async fn append(&self, batch: Vec<Append>) -> Vec<Result<AppendOutcome, StoreError>> {
        if self.lies_dead(batch.iter().map(|append| &append.gid)).await {
            let (dead, living): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .enumerate()
                .partition(|(_, append)| is_in_dead_part(&append.gid));
            let (places, living): (Vec<_>, Vec<_>) = living.into_iter().unzip();
            let refused = dead.into_iter().map(|(at, append)| {
                self.world.state().oracle.not_applied(&append.gid);
                (at, Err(dead_part()))
            });
            let answered = places.into_iter().zip(self.append_all(living).await);
            let mut answers: Vec<_> = refused.chain(answered).collect();
            answers.sort_by_key(|(at, _)| *at);
            return answers.into_iter().map(|(_, answer)| answer).collect();
        }
        self.append_all(batch).await
    }

    async fn load(&self, gid: &Gid) -> Result<Option<Stored>, StoreError> {
        if self.lies_dead(std::iter::once(gid)).await {
            return Err(dead_part());
        }
        let (inner, gid) = (self.inner.clone(), gid.clone());
        self.ask(async move { inner.load(&gid).await }).await?
    }

    async fn claim_due(
        &self,
        owner: Owner,
        lasts: Duration,
        limit: ClaimLimit,
    ) -> Result<Vec<Stored>, StoreError> {
        let (world, inner) = (Arc::clone(&self.world), self.inner.clone());
        let life = Arc::clone(&self.life);
        let work = async move {
            let claimed = inner.claim_due(owner, lasts, limit).await?;
            let now = world.now();
            {
                let state = &mut *world.state();
                for stored in &claimed {
                    let header = &stored.header;
                    state.trace.note(
                        now.ms,
                        format_args!(
                            "claimed {} {:?} {} by {:x}",
                            header.gid,
                            header.token,
                            header.status,
                            owner.0 >> 96
                        ),
                    );
                    state.oracle.claimed(owner, stored, &mut state.counts);
                }
            }
            if !claimed.is_empty() {
                die_of_claim(&world, &life);
            }
            Ok(claimed)
        };
        self.ask(work).await?
    }

    async fn renew(
        &self,
        held: &[(Gid, FencingToken)],
        lasts: Duration,
    ) -> Result<Vec<Held>, StoreError> {
        let part_is_dead = self.lies_dead(held.iter().map(|(gid, _)| gid)).await;
        let (world, inner, held) = (Arc::clone(&self.world), self.inner.clone(), held.to_vec());
        let owner = self.life.owner;
        let work = async move {
            let mut answers = Vec::new();
            for one in &held {
                if part_is_dead && is_in_dead_part(&one.0) {
                    world.state().counts.fault(Fault::UnknownRenewal);
                    answers.push(Held::Unknown);
                } else {
                    answers.extend(inner.renew(std::slice::from_ref(one), lasts).await?);
                }
            }
            let now = world.now();
            let state = &mut *world.state();
            for ((gid, token), answer) in held.iter().zip(&answers) {
                state.trace.note(
                    now.ms,
                    format_args!(
                        "renewal of {gid} {token:?} by {:x}: {answer:?}",
                        owner.0 >> 96
                    ),
                );
                if let Held::Renewed(_) = answer {
                    state.oracle.renewed(gid, lasts, now);
                }
            }
            Ok(answers)
        };
        self.ask(work).await?
    }

    async fn list(&self, query: &ListQuery) -> Result<Page<Header>, StoreError> {
        let (inner, query) = (self.inner.clone(), query.clone());
        self.ask(async move { inner.list(&query).await }).await?
    }

    async fn purge(&self, ended_before: UnixMillis, limit: usize) -> Result<usize, StoreError> {
        let (world, inner) = (Arc::clone(&self.world), self.inner.clone());
        let work = async move {
            let before = inner.headers();
            let count = inner.purge(ended_before, limit).await?;
            if count > 0 {
                show_purged(&world, &before);
            }
            Ok(count)
        };
        self.ask(work).await?
    }

    async fn ping(&self) -> Result<UnixMillis, StoreError> {
        let inner = self.inner.clone();
        self.ask(async move { inner.ping().await }).await?
    }

    fn limits(&self) -> StoreLimits {
        let batches_in_flight_max = if self.world.plan.processes == 1 { 1 } else { 3 };
        StoreLimits {
            batches_in_flight_max,
            ..self.inner.limits()
        }
    }
}

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
struct Failures {
    world: Arc<World>,
    life: Arc<Life>,
    store: OnceLock<Weak<FaultyStore<Link>>>,
}

impl Failures {
    fn is_cut_off(&self) -> bool {
        self.world.now().ms < self.life.cut_off_until_ms.load(Ordering::Relaxed)
    }

    /// Notes a fault, and that what this life does next has an excuse.
    fn failed(&self, fault: Fault) {
        let now = self.world.now();
        let state = &mut *self.world.state();
        state.counts.fault(fault);
        state.oracle.troubled(
            self.life.owner,
            now.ms + self.world.plan.knobs.store_timeout_ms,
        );
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
                self.failed(Fault::LostAppendReply);
                AppendFault::LostReply
            }
            Mishap::Late => {
                self.failed(Fault::LateAppend);
                self.release_later();
                AppendFault::AppliesLate
            }
            Mishap::Hang => {
                self.failed(Fault::AppendHang);
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
