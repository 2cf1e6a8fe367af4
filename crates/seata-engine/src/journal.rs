//! Gathers the appends of many transactions into batches. It adds no delay while the store is idle: a batch is whatever
//! waits when the store is ready for one. Beside others a small batch waits a moment for more.

mod queue;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use seata_store::{Append, AppendOutcome, StoreError, StoreErrorKind, StoreLimits, TxnStore};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::host::Clock;
use crate::journal::queue::{Item, Queue};
use crate::meters::Meters;
use crate::outage::Outage;
use crate::panics;
use crate::weight::Scale;

/// So few appends under way are no reason to wait: what comes beside them is as much of a batch as they are.
const BESIDE_FEW: usize = 4;

/// So many appends are worth a batch beside others. A smaller one costs the store, which all share, nearly as much, and
/// those in it are answered sooner if they travel with the next one.
const BESIDE_COUNT_MIN: usize = 64;

/// So long after the last batch a smaller one leaves too: a store that takes longer is busy with something else than
/// computing, and nobody may wait for a batch that doesn't come back.
const BESIDE_AFTER: Duration = Duration::from_millis(5);

/// When a batch leaves.
#[derive(Debug, Clone, Copy)]
enum Departure {
    /// As soon as anything waits.
    AtOnce,
    /// When it is worth it, or at this time.
    Beside(Instant),
}

impl Departure {
    /// Answers until when so many wait for more, if they do.
    fn waits_until(self, count: usize) -> Option<Instant> {
        match self {
            Self::AtOnce => None,
            Self::Beside(at) => (count < BESIDE_COUNT_MIN && Instant::now() < at).then_some(at),
        }
    }
}

/// The answer to one append.
pub(crate) type Appended = Result<AppendOutcome, StoreError>;

/// Says whether nobody knows if it was applied, or will be.
pub(crate) fn is_lost(answer: &Appended) -> bool {
    matches!(answer, Err(error) if error.kind == StoreErrorKind::Ambiguous)
}

/// What a batch needs on its way.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) store: Arc<dyn TxnStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) timeout: Duration,
}

/// The queue in front of the store. While the store is away nothing is queued. Its length is bounded by the number of
/// active transactions, each of which has at most one append under way; its bytes, and how long they wait, are watched
/// by whoever admits new work.
pub(crate) struct Journal {
    limits: StoreLimits,
    pace: Pace,
    queue: Mutex<Queue>,
    queued: Notify,
    closed: AtomicBool,
    scale: Scale,
    outage: Arc<Outage>,
}

/// How long the store takes for a batch: as the slowest of the last ones, which is forgotten bit by bit.
#[derive(Default)]
struct Pace {
    batch_us: AtomicU64,
}

impl Pace {
    /// Batches under way note it side by side: an estimate may miss one.
    fn note(&self, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let known_us = self.batch_us.load(Ordering::Relaxed);
        let fading_us = known_us - known_us / 4 + took_us / 4;
        self.batch_us
            .store(took_us.max(fading_us), Ordering::Relaxed);
    }

    fn batch(&self) -> Duration {
        Duration::from_micros(self.batch_us.load(Ordering::Relaxed))
    }
}

impl Journal {
    pub(crate) fn new(limits: StoreLimits, scale: Scale, outage: Arc<Outage>) -> Self {
        Self {
            limits,
            pace: Pace::default(),
            queue: Mutex::default(),
            queued: Notify::new(),
            closed: AtomicBool::new(false),
            scale,
            outage,
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends durably, at this boot time or later.
    pub(crate) async fn append(&self, append: Append, boot: Duration) -> Appended {
        if !self.outage.admits_append() {
            return Err(away());
        }
        let (reply, answer) = oneshot::channel();
        let _weight = self.scale.put(append.chunk.bytes().len());
        let item = Item::new(append, reply, boot);
        self.queue().waiting.push_back(item);
        self.queued.notify_one();
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::new(
                StoreErrorKind::Ambiguous,
                "appending",
                "the journal has stopped",
            ))
        })
    }

    /// Answers how many bytes wait or are being written.
    pub(crate) fn bytes(&self) -> usize {
        self.scale.bytes()
    }

    /// Answers about how long an append would wait that came at this boot time: as long as the oldest of what waits has
    /// waited, and as long as the store has taken lately for as many batches as wait.
    pub(crate) fn waits(&self, boot: Duration) -> Duration {
        let (waiting, oldest) = {
            let waiting = &self.queue().waiting;
            (
                waiting.len(),
                waiting.front().map_or(boot, |item| item.since),
            )
        };
        let by_count = waiting / self.limits.batch_count_max.max(1);
        let by_bytes = self.bytes() / self.limits.batch_bytes_max.max(1);
        let batches = by_count.max(by_bytes) / self.limits.batches_in_flight_max.max(1);
        let batches = u32::try_from(batches).unwrap_or(u32::MAX);
        let ahead = self.pace.batch().saturating_mul(batches);
        ahead.max(boot.saturating_sub(oldest))
    }

    /// Lets [`Journal::run`] end once nothing waits any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.queued.notify_one();
    }

    /// Writes batches until the journal is closed.
    pub(crate) async fn run(&self, way: Way) {
        let limits = self.limits;
        let mut flying = FuturesUnordered::new();
        let (mut left_at, mut under_way) = (Instant::now(), 0);
        loop {
            let departure = if under_way < BESIDE_FEW {
                Departure::AtOnce
            } else {
                Departure::Beside(left_at + BESIDE_AFTER)
            };
            tokio::select! {
                biased;
                Some(count) = flying.next(), if !flying.is_empty() => under_way -= count,
                () = self.outage.begun() => self.refuse_queued(),
                batch = self.take(limits, departure), if flying.len() < limits.batches_in_flight_max => {
                    let Some(batch) = batch else { break };
                    left_at = Instant::now();
                    under_way += batch.len();
                    flying.push(self.write(way.clone(), batch));
                }
            }
        }
        // What was begun is brought to its end.
        while flying.next().await.is_some() {}
    }

    /// Nothing of what is queued was sent: it is refused for sure, and at once.
    fn refuse_queued(&self) {
        let (held_up, waiting) = {
            let mut queue = self.queue();
            (
                std::mem::take(&mut queue.held_up),
                std::mem::take(&mut queue.waiting),
            )
        };
        for item in held_up.into_iter().chain(waiting) {
            // Whoever asked may be gone.
            drop(item.reply.send(Err(away())));
        }
    }

    /// Waits for a batch; none once the journal is closed and nothing waits any more.
    async fn take(&self, limits: StoreLimits, departure: Departure) -> Option<Vec<Item>> {
        loop {
            let (count, held_up) = {
                let queue = self.queue();
                (queue.waiting.len(), queue.held_up.len())
            };
            let closed = self.closed.load(Ordering::Acquire);
            match (count, departure.waits_until(count)) {
                (0, _) if closed && held_up == 0 => return None,
                (0, _) => self.queued.notified().await,
                (_, Some(until)) if !closed => tokio::select! {
                    biased;
                    () = self.queued.notified() => {}
                    () = tokio::time::sleep_until(until) => {}
                },
                (_, Some(_) | None) => {
                    let batch = self.queue().take(limits);
                    if !batch.is_empty() {
                        return Some(batch);
                    }
                }
            }
        }
    }

    /// Writes a batch, tells each whose append it is, and answers how many there were.
    async fn write(&self, way: Way, batch: Vec<Item>) -> usize {
        let Way {
            store,
            clock,
            meters,
            timeout,
        } = way;
        let (appends, replies): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|item| (item.append, (item.key, item.reply)))
            .unzip();
        let count = appends.len();
        let begun = clock.boot();
        let append = panics::survive("appending", store.append(appends));
        let answers = tokio::time::timeout(timeout, append)
            .await
            .ok()
            .flatten()
            .unwrap_or_default();
        let ended = clock.boot();
        let took = ended.saturating_sub(begun);
        self.pace.note(took);
        meters.appended(count, took);
        self.outage.note(&answered(&answers), ended);
        self.queue().came_back(replies.iter().map(|(key, _)| *key));
        let answers = answers
            .into_iter()
            .map(Some)
            .chain(std::iter::repeat_with(|| None));
        for ((_, reply), answer) in replies.into_iter().zip(answers) {
            let answer = answer.unwrap_or_else(|| Err(silence()));
            if let Err(error) = &answer {
                meters.store_error(error.kind);
            }
            // Whoever asked may be gone: the append is durable all the same.
            drop(reply.send(answer));
        }
        count
    }
}

fn away() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "appending",
        "the store is away: nothing was sent",
    )
}

/// Says whether the store answered a batch: one append of it is enough, others may belong to a dead part of the store.
fn answered(answers: &[Appended]) -> Result<(), StoreError> {
    let failure = |answer: &Appended| match answer {
        Ok(_) => None,
        Err(error) => match error.kind {
            StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous => Some(error.clone()),
            StoreErrorKind::Corrupt | StoreErrorKind::Invalid => None,
        },
    };
    match answers.first() {
        None => Err(silence()),
        Some(first) => {
            let all_failed = answers.iter().all(|answer| failure(answer).is_some());
            match failure(first) {
                Some(error) if all_failed => Err(error),
                Some(_) | None => Ok(()),
            }
        }
    }
}

fn silence() -> StoreError {
    StoreError::new(
        StoreErrorKind::Ambiguous,
        "appending",
        "no answer from the store, or none in time",
    )
}
