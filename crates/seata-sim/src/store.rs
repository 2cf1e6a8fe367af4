//! One process's way to the shared store: it takes time, it fails, and the oracle watches what is applied.
//!
//! What was handed over is done whether or not its sender still lives, as by a real server.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use seata_core::{FencingToken, Gid, UnixMillis};
use seata_store::{
    Append, AppendOutcome, ClaimLimit, Expected, Header, Held, ListQuery, Owner, Page, StoreError,
    StoreErrorKind, StoreLimits, Stored, TxnStore, record,
};
use seata_store_mem::{Faults, FaultyStore, MemStore};
use tokio::sync::oneshot;

use crate::dice::Dice;
use crate::failures::Failures;
use crate::faults::Fault;
use crate::oracle::Now;
use crate::outage::{self, OutageKind, SLOW_MAX_MS, is_in_dead_part};
use crate::process::Life;
use crate::world::{Phase, State, World, pause};

/// How long a process that died at the store stays down, in ms.
pub(crate) const DOWN_MS: [u64; 4] = [20, 300, 1_000, 6_000];

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
pub(crate) struct Link {
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
        if kind == Some(OutageKind::PartHangs) {
            let trouble_ms = now.ms + self.world.plan.knobs.store_timeout_ms;
            state.oracle.troubled(self.life.owner, trouble_ms);
        }
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
                    state.oracle.claimed(owner, stored, &mut state.counts, now);
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
