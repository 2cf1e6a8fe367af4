//! One global transaction: what is common to all modes, and the two doors, `step` and `apply`.

use std::sync::Arc;

use crate::branch::Branch;
use crate::dag::Dag;
use crate::definition::{Definition, Fingerprint, Options, Payload};
use crate::event::{BranchIndex, Event, Fact};
use crate::history::attempts_kept;
use crate::id::{BranchId, Gid};
use crate::operation::{AttemptId, FencingToken, Mode, Operation, Status};
use crate::rejection::Rejection;
use crate::saga::Saga;
use crate::step::{Effect, Input, Step};
use crate::table::Table;
use crate::tcc::Tcc;
use crate::time::UnixMillis;

/// The highest number of an event. A record that bears a higher one is damaged: none is left to go on with.
const EVENTS_MAX: u32 = u32::MAX / 2;

/// Says that a recorded event cannot follow what was recorded before it: the record is damaged, or ours is the bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {number} ({fact}) cannot follow the state {state}")]
pub struct IllegalEvent {
    /// Its number.
    pub number: u32,
    /// Its fact's word.
    pub fact: &'static str,
    /// The state before it.
    pub state: &'static str,
}

/// Says that a fact cannot follow the state of its mode.
pub(crate) struct Illegal;

/// Whether a fact was applied.
pub(crate) type Applied = Result<(), Illegal>;

/// Says that a fact is illegal where a condition of it does not hold.
pub(crate) const fn legal(condition: bool) -> Applied {
    if condition { Ok(()) } else { Err(Illegal) }
}

/// A global transaction as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub(crate) gid: Gid,
    pub(crate) definition: Arc<Definition>,
    pub(crate) created_at: UnixMillis,
    pub(crate) updated_at: UnixMillis,
    /// The number of the last event.
    pub(crate) events: u32,
    pub(crate) table: Table,
    /// The longest run of answers to one operation that stands in the history one by one.
    pub(crate) recorded_max: u32,
    /// How many orders to try again stand in the history.
    pub(crate) retries: u32,
    /// The highest token that an event bears.
    token_seen: FencingToken,
    pub(crate) state: ModeState,
}

/// What only one mode knows: one variant and one module for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModeState {
    Saga(Saga),
    Tcc(Tcc),
}

/// Says whether a branch is of another mode than its transaction.
fn stray_mode(definition: &Definition) -> Option<Rejection> {
    let mode = definition.mode;
    let stray = definition
        .branches
        .iter()
        .any(|branch| branch.endpoints.mode() != mode);
    let asked = match mode {
        Mode::Saga => "given a branch with try, confirm and cancel",
        Mode::Tcc => "given a branch with an action",
    };
    stray.then_some(Rejection::WrongMode { asked, mode })
}

impl Transaction {
    /// Decides how a transaction begins: answers its first event.
    ///
    /// # Errors
    /// A branch name given twice, an unknown name in `after`, or a circle, each by name.
    pub fn create(definition: Arc<Definition>, now: UnixMillis) -> Result<Event, Rejection> {
        if let Some(mode) = stray_mode(&definition) {
            return Err(mode);
        }
        Dag::build(&definition.branches, definition.options.order)?;
        Ok(Event {
            number: 1,
            at: now,
            fact: Fact::Created(definition),
        })
    }

    /// Folds a transaction from its events, the first of which created it.
    ///
    /// # Errors
    /// The events don't make a transaction.
    pub fn fold<'a>(
        gid: &Gid,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Self, IllegalEvent> {
        let mut events = events.into_iter();
        let Some(first) = events.next() else {
            return Err(IllegalEvent {
                number: 0,
                fact: "nothing",
                state: "NONE",
            });
        };
        let mut transaction = Self::begin(gid, first)?;
        for event in events {
            transaction.try_apply(event)?;
        }
        Ok(transaction)
    }

    fn begin(gid: &Gid, event: &Event) -> Result<Self, IllegalEvent> {
        let illegal = IllegalEvent {
            number: event.number,
            fact: event.fact.as_str(),
            state: "NONE",
        };
        let Fact::Created(definition) = &event.fact else {
            return Err(illegal);
        };
        if event.number > EVENTS_MAX
            || stray_mode(definition).is_some()
            || Dag::build(&definition.branches, definition.options.order).is_err()
        {
            return Err(illegal);
        }
        Ok(Self {
            gid: gid.clone(),
            definition: Arc::clone(definition),
            created_at: event.at,
            updated_at: event.at,
            events: event.number,
            table: Table::new(&definition.branches),
            recorded_max: 0,
            retries: 0,
            token_seen: FencingToken::default(),
            state: match definition.mode {
                Mode::Saga => ModeState::Saga(Saga::new()),
                Mode::Tcc => ModeState::Tcc(Tcc::new()),
            },
        })
    }

    /// Decides one thing and changes nothing.
    ///
    /// Inputs from outside only record a fact; what follows from it is decided by [`Input::Wake`], so that a server
    /// without the lease can record an order and leave the decision to the driver. See [`Transaction::advance`].
    ///
    /// # Errors
    /// The input is wrong for the state as it is.
    pub fn step(&self, input: Input, now: UnixMillis) -> Result<Step, Rejection> {
        let now = now.max(self.updated_at);
        match &self.state {
            ModeState::Saga(saga) => saga.step(self, input, now),
            ModeState::Tcc(tcc) => tcc.step(self, input, now),
        }
    }

    /// Changes the state by one event and decides nothing.
    ///
    /// # Panics
    /// The event did not come from [`Transaction::step`] on this state.
    pub fn apply(&mut self, event: &Event) {
        if let Err(illegal) = self.try_apply(event) {
            panic!("invariant: a step's own event applies: {illegal}");
        }
    }

    /// Changes the state by one recorded event.
    ///
    /// # Errors
    /// The event cannot follow the state. The transaction is then of no further use.
    pub fn try_apply(&mut self, event: &Event) -> Result<(), IllegalEvent> {
        let state = self.status().as_str();
        let illegal = IllegalEvent {
            number: event.number,
            fact: event.fact.as_str(),
            state,
        };
        if event.number <= self.events || event.number > EVENTS_MAX {
            return Err(illegal);
        }
        let applied = match &mut self.state {
            ModeState::Saga(saga) => saga.apply(&mut self.table, &self.definition, event),
            ModeState::Tcc(tcc) => tcc.apply(&mut self.table, event),
        };
        if applied.is_err() {
            return Err(illegal);
        }
        self.events = event.number;
        self.updated_at = self.updated_at.max(event.at);
        if let Fact::Recovered { token } = &event.fact {
            self.token_seen = self.token_seen.max(*token);
        }
        if let Fact::Retried { .. } = &event.fact {
            self.retries += 1;
        }
        if let Fact::Answered(answered) = &event.fact {
            self.token_seen = self.token_seen.max(answered.attempt.token);
            let recorded = self
                .table
                .get(answered.branch)
                .map(|b| b.progress(answered.operation).recorded);
            self.recorded_max = self.recorded_max.max(recorded.unwrap_or(0));
        }
        Ok(())
    }

    /// Notes that a call is in flight. The driver alone knows it; it is never stored.
    pub fn call_begun(&mut self, branch: BranchIndex, operation: Operation, attempt: AttemptId) {
        match &mut self.state {
            ModeState::Saga(saga) => saga.call_begun(&mut self.table, branch, operation, attempt),
            ModeState::Tcc(tcc) => tcc.call_begun(&mut self.table, branch, operation, attempt),
        }
    }

    /// Notes that a call that was begun never left: it will be called again under the same number, if at all. Only for
    /// the driver that knows it for sure.
    pub fn call_withdrawn(
        &mut self,
        branch: BranchIndex,
        operation: Operation,
        attempt: AttemptId,
    ) {
        match &mut self.state {
            ModeState::Saga(saga) => {
                saga.call_withdrawn(&mut self.table, branch, operation, attempt);
            }
            ModeState::Tcc(tcc) => {
                tcc.call_withdrawn(&mut self.table, branch, operation, attempt);
            }
        }
    }

    /// Answers whether a call that was begun but has not left may leave: nothing was recorded that turns the
    /// transaction round, ends it or settles the operation, and the deadline has not passed.
    #[must_use]
    pub fn calls_still(&self, branch: BranchIndex, operation: Operation, now: UnixMillis) -> bool {
        match &self.state {
            ModeState::Saga(saga) => saga.calls_still(self, branch, operation, now),
            ModeState::Tcc(tcc) => tcc.calls_still(self, branch, operation, now),
        }
    }

    fn call_ended(&mut self, branch: BranchIndex, operation: Operation, attempt: AttemptId) {
        let flights = match &mut self.state {
            ModeState::Saga(saga) => &mut saga.flights,
            ModeState::Tcc(tcc) => &mut tcc.flights,
        };
        if let Some(branch) = self.table.get_mut(branch) {
            flights.end(branch, operation, attempt);
        }
    }

    /// Records one input: steps it and applies its events, but decides nothing. For a server that is not the driver.
    ///
    /// # Errors
    /// As [`Transaction::step`].
    pub fn record(&mut self, input: Input, now: UnixMillis) -> Result<Step, Rejection> {
        let ended = match &input {
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
        };
        let step = self.step(input, now)?;
        if let Some((branch, operation, attempt)) = ended {
            self.call_ended(branch, operation, attempt);
        }
        for event in &step.events {
            self.apply(event);
        }
        Ok(step)
    }

    /// Drives: records one input, then decides until nothing more can be decided, noting calls as begun under `token`.
    /// The state runs ahead of the store until the events are appended.
    ///
    /// # Errors
    /// As [`Transaction::step`]; nothing has changed then.
    pub fn advance(
        &mut self,
        input: Input,
        token: FencingToken,
        now: UnixMillis,
    ) -> Result<Step, Rejection> {
        let mut whole = self.record(input, now)?;
        self.calls_begun(&whole.effects, token);
        loop {
            let step = self.record(Input::Wake, now)?;
            self.calls_begun(&step.effects, token);
            let settled = step.events.is_empty() && step.effects.is_empty();
            whole.then(step);
            if settled {
                return Ok(whole);
            }
        }
    }

    /// Notes that the calls of a step are in flight under a token.
    pub fn calls_begun(&mut self, effects: &[Effect], token: FencingToken) {
        for effect in effects {
            match effect {
                Effect::Call(call) => {
                    let attempt = AttemptId {
                        token,
                        number: call.number,
                    };
                    self.call_begun(call.branch, call.operation, attempt);
                }
            }
        }
    }

    /// Answers when the driver must step [`Input::Wake`] although nothing happened: a retry or a deadline. None: never.
    #[must_use]
    pub fn alarm(&self, now: UnixMillis) -> Option<UnixMillis> {
        match &self.state {
            ModeState::Saga(saga) => saga.alarm(self, now),
            ModeState::Tcc(tcc) => tcc.alarm(self, now),
        }
    }

    /// Answers how many calls are in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        match &self.state {
            ModeState::Saga(saga) => saga.in_flight(),
            ModeState::Tcc(tcc) => tcc.in_flight(),
        }
    }

    /// Answers whether the history has grown so long that the next append should replace it by a compacted one.
    #[must_use]
    pub fn compaction_due(&self) -> bool {
        self.recorded_max.max(self.retries) > 2 * attempts_kept(self.mode(), self.table.len())
    }

    /// Answers the state as everyone may know it.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.state {
            ModeState::Saga(saga) => saga.status(),
            ModeState::Tcc(tcc) => tcc.status(),
        }
    }

    /// Answers the highest token that a recorded event bears: whoever drove under it told of what he did. Zero: none.
    #[must_use]
    pub const fn token_seen(&self) -> FencingToken {
        self.token_seen
    }

    /// Answers the transaction's name.
    #[must_use]
    pub const fn gid(&self) -> &Gid {
        &self.gid
    }

    /// Answers the pattern by which it runs.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.definition.mode
    }

    /// Answers what was asked for when it was created; branches added later are not in it.
    #[must_use]
    pub const fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// Answers its options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.definition.options
    }

    /// Answers the payload of branches that have none of their own.
    #[must_use]
    pub fn payload(&self) -> Option<&Payload> {
        self.definition.payload.as_ref()
    }

    /// Answers the digest of the request that created it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.definition.fingerprint
    }

    /// Answers when it was created.
    #[must_use]
    pub const fn created_at(&self) -> UnixMillis {
        self.created_at
    }

    /// Answers the time of the last event.
    #[must_use]
    pub const fn updated_at(&self) -> UnixMillis {
        self.updated_at
    }

    /// Answers the number of the last event.
    #[must_use]
    pub const fn last_event(&self) -> u32 {
        self.events
    }

    /// Answers how many branches it has.
    #[must_use]
    pub fn branch_count(&self) -> usize {
        self.table.len()
    }

    /// Answers what was asked for under this position.
    #[must_use]
    pub fn branch(&self, index: BranchIndex) -> Option<&Arc<crate::definition::BranchDefinition>> {
        self.table.get(index).map(|branch| &branch.definition)
    }

    /// Answers what is known of the branch at this position.
    ///
    /// # Errors
    /// No branch stands there.
    pub(crate) fn known(&self, index: BranchIndex) -> Result<&Branch, Rejection> {
        self.table
            .get(index)
            .ok_or_else(|| Rejection::no_branch_at(index))
    }

    /// Finds a branch by its name.
    ///
    /// # Errors
    /// No branch has this name.
    pub fn find_branch(&self, branch_id: &BranchId) -> Result<BranchIndex, Rejection> {
        self.table
            .find(branch_id)
            .ok_or_else(|| Rejection::UnknownBranch {
                branch_id: branch_id.clone(),
            })
    }
}
