//! A transaction in a driver's hands. Whatever a test does with it, what must always hold is checked on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use seata_core::{
    AppendMode, AttemptId, BranchIndex, Effect, Event, Fact, FencingToken, Input, Next, Operation,
    Rejection, Status, Step, Transaction, UnixMillis, compact,
};

use crate::spec::{Spec, gid};

#[derive(Debug, Clone)]
pub(crate) struct Driven {
    pub(crate) txn: Transaction,
    pub(crate) events: Vec<Event>,
    /// How many of the events are durable.
    pub(crate) durable: usize,
    pub(crate) flights: BTreeMap<(BranchIndex, Operation), AttemptId>,
    pub(crate) token: FencingToken,
}

impl Driven {
    /// Creates the saga at time 0.
    pub(crate) fn new(spec: &Spec) -> Self {
        let created = Transaction::create(Arc::new(spec.0.clone()), UnixMillis(0)).unwrap();
        Self {
            txn: Transaction::fold(&gid(), [&created]).unwrap(),
            events: vec![created],
            durable: 1,
            flights: BTreeMap::new(),
            token: FencingToken(1),
        }
    }

    /// Drives one input as far as it goes.
    pub(crate) fn advance(&mut self, input: Input, now_ms: i64) -> Result<Step, Rejection> {
        self.check_pure(&input, now_ms);
        let answered = answered_attempt(&input);
        let step = self.txn.advance(input, self.token, UnixMillis(now_ms))?;
        self.note(&step, answered);
        self.check(&step, now_ms);
        Ok(step)
    }

    /// Records one input and decides nothing: a server without the lease.
    pub(crate) fn record(&mut self, input: Input, now_ms: i64) -> Result<Step, Rejection> {
        self.check_pure(&input, now_ms);
        let step = self.txn.record(input, UnixMillis(now_ms))?;
        self.note(&step, None);
        Ok(step)
    }

    /// Loses what is not durable and all calls, and takes over under the next token.
    pub(crate) fn crash(&mut self, now_ms: i64) -> Step {
        self.events.truncate(self.durable);
        self.flights.clear();
        self.txn = Transaction::fold(&gid(), &self.events).unwrap();
        self.token = FencingToken(self.token.0 + 1);
        let token = self.token;
        self.advance(Input::Recover { token }, now_ms).unwrap()
    }

    /// Meets an append of another server: reloads what is durable, notes its calls, feeds what it knows, and decides.
    pub(crate) fn reload(&mut self, order: Option<Input>, now_ms: i64) -> Step {
        let behind = self.events.split_off(self.durable);
        self.txn = Transaction::fold(&gid(), &self.events).unwrap();
        if let Some(order) = order
            && self.record(order, now_ms).is_ok()
        {
            self.durable = self.events.len();
        }
        for ((branch, operation), attempt) in &self.flights {
            self.txn.call_begun(*branch, *operation, *attempt);
        }
        for event in behind {
            self.record(known(event.fact), now_ms).unwrap();
        }
        self.advance(Input::Wake, now_ms).unwrap()
    }

    /// Replaces the history by a compacted one.
    pub(crate) fn compact(&mut self) {
        self.events = compact(&self.events);
        self.durable = self.events.len();
        self.txn = Transaction::fold(&gid(), &self.events).unwrap();
        for ((branch, operation), attempt) in &self.flights {
            self.txn.call_begun(*branch, *operation, *attempt);
        }
    }

    fn note(&mut self, step: &Step, answered: Option<(BranchIndex, Operation, AttemptId)>) {
        if let Some((branch, operation, attempt)) = answered
            && self.flights.get(&(branch, operation)) == Some(&attempt)
        {
            self.flights.remove(&(branch, operation));
        }
        self.events.extend(step.events.iter().cloned());
        match step.append {
            AppendMode::BeforeEffects => self.durable = self.events.len(),
            AppendMode::Behind => {}
        }
        for effect in &step.effects {
            let Effect::Call(call) = effect;
            let attempt = AttemptId {
                token: self.token,
                number: call.number,
            };
            let flying = self.flights.insert((call.branch, call.operation), attempt);
            assert_eq!(flying, None, "one call at a time: {call:?}");
        }
    }

    /// `step` changes nothing and always decides the same.
    fn check_pure(&self, input: &Input, now_ms: i64) {
        let before = self.txn.clone();
        let one = self.txn.step(input.clone(), UnixMillis(now_ms));
        let other = self.txn.step(input.clone(), UnixMillis(now_ms));
        assert_eq!(one, other, "the same input decides the same");
        assert_eq!(self.txn, before, "step changes nothing");
    }

    /// What is recorded folds to the live state but for the calls in flight, and an open record can't be forgotten.
    fn check(&self, step: &Step, now_ms: i64) {
        let mut folded = Transaction::fold(&gid(), &self.events).unwrap();
        for ((branch, operation), attempt) in &self.flights {
            folded.call_begun(*branch, *operation, *attempt);
        }
        assert_eq!(folded, self.txn, "fold(events) is the live state");
        let now = UnixMillis(now_ms).max(self.txn.updated_at());
        match (self.txn.status(), step.next) {
            (Status::Committed | Status::Aborted, Next::Nobody)
            | (Status::Stuck, Next::Operator) => {}
            (Status::Prepared | Status::Submitted | Status::Aborting, Next::WakeAt(at)) => {
                let idle = self.txn.in_flight() == 0;
                let due = self.txn.alarm(now).filter(|_| idle).unwrap_or(now);
                assert_eq!(at, due, "whoever looks next looks in time");
            }
            (
                Status::Prepared
                | Status::Submitted
                | Status::Aborting
                | Status::Committed
                | Status::Aborted
                | Status::Stuck,
                next,
            ) => panic!("{} with {next:?}", self.txn.status()),
        }
    }
}

fn answered_attempt(input: &Input) -> Option<(BranchIndex, Operation, AttemptId)> {
    match input {
        Input::Answered {
            branch,
            operation,
            attempt,
            ..
        } => Some((*branch, *operation, *attempt)),
        Input::Wake
        | Input::AddBranch(_)
        | Input::Try(_)
        | Input::Confirm { .. }
        | Input::Cancel { .. }
        | Input::Complete { .. }
        | Input::Submit
        | Input::Abort { .. }
        | Input::Recover { .. }
        | Input::Retry { .. }
        | Input::Skip { .. }
        | Input::Force { .. } => None,
    }
}

/// Answers what the driver knows of a fact that travelled behind.
fn known(fact: Fact) -> Input {
    match fact {
        Fact::Answered(answered) => Input::Answered {
            branch: answered.branch,
            operation: answered.operation,
            attempt: answered.attempt,
            outcome: answered.outcome,
            took: answered.took,
        },
        Fact::Recovered { token } => Input::Recover { token },
        Fact::Created(_)
        | Fact::BranchAdded(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::TurnedRound { .. }
        | Fact::Committed
        | Fact::Aborted
        | Fact::Stuck { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. }
        | Fact::Elided { .. } => panic!("{} never travels behind", fact.as_str()),
    }
}
