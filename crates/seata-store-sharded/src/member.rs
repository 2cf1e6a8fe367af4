//! One shard behind its gates: each call is bounded in time and tells the gate how it ended.

use std::sync::Arc;
use std::time::Duration;

use seata_store::{
    Append, AppendOutcome, Shard, StoreError, StoreErrorKind, StoreLimits, TxnStore,
};
use tokio::time::{Instant, timeout, timeout_at};

use crate::append::pieces;
use crate::gate::{Call, Ending, Gate, ShardState};

/// The longest time that any answer waits for a shard: below the two seconds that the engine gives a batch, above the
/// adapters' own limit, whose errors say more.
pub const ANSWER_TIME_MAX: Duration = Duration::from_millis(1_700);

pub(crate) type Answer = Result<AppendOutcome, StoreError>;

/// One shard.
pub(crate) struct Member {
    name: Shard,
    pub(crate) store: Arc<dyn TxnStore>,
    /// Two gates, since a server may well read and not write: without its standby, or without space.
    appends: Arc<Gate>,
    questions: Arc<Gate>,
}

impl Member {
    pub(crate) fn new(name: Shard, store: Arc<dyn TxnStore>) -> Self {
        Self {
            name,
            store,
            appends: Arc::new(Gate::new(name, "appends")),
            questions: Arc::new(Gate::new(name, "questions")),
        }
    }

    pub(crate) fn state(&self) -> ShardState {
        self.appends.state().max(self.questions.state())
    }

    /// Appends what belongs to this shard, in pieces that it takes.
    pub(crate) async fn append(&self, batch: Vec<Append>) -> Vec<Answer> {
        const DOING: &str = "appending";
        let (count, sent_at) = (batch.len(), Instant::now());
        let Some(ticket) = self.admit(&self.appends, Call::Write, sent_at) else {
            return vec![Err(self.refused(DOING)); count];
        };
        let mut answers = Vec::with_capacity(count);
        for piece in pieces(batch, self.store.limits()) {
            let due = answers.len() + piece.len();
            match timeout_at(sent_at + ANSWER_TIME_MAX, self.store.append(piece)).await {
                Ok(some) => answers.extend(some.into_iter().map(|one| self.named(one))),
                Err(_) => {
                    let error = self.error(StoreErrorKind::Ambiguous, DOING, "no answer in time");
                    answers.resize(due, Err(error));
                    break;
                }
            }
            answers.resize_with(due, || {
                Err(self.error(StoreErrorKind::Ambiguous, DOING, "an answer is missing"))
            });
        }
        answers.resize_with(count, || {
            Err(self.error(
                StoreErrorKind::Unavailable,
                DOING,
                "not sent: no answer to the part before it",
            ))
        });
        let alive = answers
            .iter()
            .any(|answer| ending(answer) == Ending::Answered);
        let ending = if alive {
            Ending::Answered
        } else {
            Ending::Failed
        };
        ticket.settle(ending, Instant::now());
        answers
    }

    /// Asks anything else. The question is not begun if the gate is shut.
    pub(crate) async fn ask<T>(
        &self,
        call: Call,
        doing: &'static str,
        until: Instant,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Some(ticket) = self.admit(&self.questions, call, Instant::now()) else {
            return Err(self.refused(doing));
        };
        let answer = match timeout_at(until, question).await {
            Ok(answer) => self.named(answer),
            Err(_) => Err(self.error(unanswered(call), doing, "no answer in time")),
        };
        let (ending, now) = (ending(&answer), Instant::now());
        ticket.settle(ending, now);
        if ending == Ending::Answered {
            self.appends.heard(now);
        }
        answer
    }

    /// Lets a call pass. One that is refused looks whether the shard answers again, and waits for nothing: the probe runs
    /// by itself and ends by its own limit.
    fn admit<'a>(
        &self,
        gate: &'a Arc<Gate>,
        call: Call,
        now: Instant,
    ) -> Option<crate::gate::Ticket<'a>> {
        let ticket = gate.admit(call, now);
        if ticket.is_none() && gate.begin_probe(now) {
            let (probe, store) = (Probe::new(gate), Arc::clone(&self.store));
            tokio::spawn(async move {
                let answer = timeout(ANSWER_TIME_MAX, store.ping()).await;
                probe.end(match answer {
                    Ok(Ok(_)) => Ending::Answered,
                    Ok(Err(_)) | Err(_) => Ending::Failed,
                });
            });
        }
        ticket
    }

    fn refused(&self, doing: &'static str) -> StoreError {
        let why = "it fell silent and is not asked until it answers a probe";
        self.error(StoreErrorKind::Unavailable, doing, why)
    }

    fn named<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        answer.map_err(|error| self.error(error.kind, error.doing, &error.why))
    }

    fn error(&self, kind: StoreErrorKind, doing: &'static str, why: &str) -> StoreError {
        StoreError::new(kind, doing, format!("shard {}: {why}", self.name))
    }

    pub(crate) fn limits(&self) -> StoreLimits {
        self.store.limits()
    }
}

/// A probe that was begun. Dropped without an ending, as when the store panics, it has failed: no other begins before it
/// has ended.
struct Probe {
    gate: Arc<Gate>,
    ending: Ending,
}

impl Probe {
    fn new(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            ending: Ending::Failed,
        }
    }

    fn end(mut self, ending: Ending) {
        self.ending = ending;
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.gate.end_probe(self.ending, Instant::now());
    }
}

/// What is known of a call that had no answer in time.
const fn unanswered(call: Call) -> StoreErrorKind {
    match call {
        Call::Read | Call::Ping => StoreErrorKind::Unavailable,
        Call::Write => StoreErrorKind::Ambiguous,
    }
}

fn ending<T>(answer: &Result<T, StoreError>) -> Ending {
    match answer.as_ref().map_err(|error| error.kind) {
        Ok(_) | Err(StoreErrorKind::Corrupt | StoreErrorKind::Invalid) => Ending::Answered,
        Err(StoreErrorKind::Unavailable | StoreErrorKind::Ambiguous) => Ending::Failed,
    }
}
