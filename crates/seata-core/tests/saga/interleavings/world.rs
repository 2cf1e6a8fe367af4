//! A saga among participants that remember what took effect.
//!
//! A participant guards itself as `seata-barrier` does: an action that arrives after its compensation does nothing.

use seata_core::{
    BranchIndex, CompletionEnd, Effect as Order, Input, Operation, OperationStatus, Outcome,
    Reason, Status, Step, Transaction, UnixMillis,
};

use super::choices::{Effect, Move, Said, Told};
use crate::driven::Driven;
use crate::script::{abort_input, answer, failure, force_input, settled, skip_input, unknown};
use crate::spec::{Spec, gid};

/// How many steps a saga may take to end once the faults have stopped.
const HEALING_STEPS_MAX: u32 = 500;

#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    /// The action took effect and was not undone.
    acted: bool,
    /// The compensation took effect: no action does any more.
    undone: bool,
    /// Actions in the network that nobody waits for.
    on_the_way: u32,
}

impl Ledger {
    fn act(&mut self) {
        self.acted = !self.undone;
    }

    fn undo(&mut self) {
        *self = Self {
            acted: false,
            undone: true,
            on_the_way: self.on_the_way,
        };
    }
}

pub(crate) struct World {
    pub(crate) saga: Driven,
    ledgers: Vec<Ledger>,
    /// For each branch, the ones that come after it, directly or not.
    descendants: Vec<Vec<usize>>,
    parallelism: usize,
    now_ms: i64,
}

impl World {
    pub(crate) fn new(spec: &Spec) -> Self {
        let branches = &spec.0.branches;
        let mut descendants = vec![Vec::new(); branches.len()];
        for (at, branch) in branches.iter().enumerate().rev() {
            for (earlier, other) in branches.iter().enumerate() {
                if branch.after.contains(&other.branch_id) {
                    let behind = descendants[at].clone();
                    descendants[earlier].push(at);
                    descendants[earlier].extend(behind);
                }
            }
        }
        Self {
            saga: Driven::new(spec),
            ledgers: vec![Ledger::default(); branches.len()],
            descendants,
            parallelism: spec.0.options.branch_parallelism as usize,
            now_ms: 0,
        }
    }

    pub(crate) fn play(&mut self, one: &Move) {
        match one {
            Move::Submit => self.drive(Input::Submit),
            Move::Abort => self.drive(abort_input()),
            Move::Answer { pick, said, effect } => self.answer(*pick, *said, *effect),
            Move::Arrive { pick } => self.arrive(*pick),
            Move::Complete {
                pick,
                operation,
                told,
            } => {
                let input = self.completion(*pick, *operation, *told);
                if let Ok(step) = self.saga.txn.step(input.clone(), self.now()) {
                    assert_plain(&self.saga.txn, *operation, &step);
                    self.told(*pick, *operation, *told, &step);
                    self.drive(input);
                }
            }
            Move::ReloadOnComplete {
                pick,
                operation,
                told,
            } => {
                let input = self.completion(*pick, *operation, *told);
                let events = self.saga.events[..self.saga.durable].to_vec();
                let durable = Transaction::fold(&gid(), &events).unwrap();
                if let Ok(step) = durable.step(input.clone(), self.now()) {
                    assert_plain(&durable, *operation, &step);
                    self.told(*pick, *operation, *told, &step);
                }
                let step = self.saga.reload(Some(input), self.now_ms);
                self.called(&step);
            }
            Move::Pass { ms } => {
                self.now_ms += ms;
                self.drive(Input::Wake);
            }
            Move::Flush => self.saga.durable = self.saga.events.len(),
            Move::Crash { effect } => self.crash(*effect),
            Move::Reload => {
                let step = self.saga.reload(None, self.now_ms);
                self.called(&step);
            }
            Move::ReloadOnAbort => {
                let step = self.saga.reload(Some(abort_input()), self.now_ms);
                self.called(&step);
            }
            Move::Compact => self.saga.compact(),
            Move::Retry { pick } => self.drive(Input::Retry {
                branch: pick.map(|pick| self.pick(pick)),
                reason: Reason::new("operator"),
            }),
            Move::Skip { pick, operation } => {
                let input = skip_input(self.pick(*pick), *operation);
                if let Ok(step) = self.saga.txn.step(input.clone(), self.now()) {
                    assert_plain(&self.saga.txn, *operation, &step);
                    self.drive(input);
                }
            }
            Move::Force { to } => self.drive(force_input(*to)),
        }
    }

    fn now(&self) -> UnixMillis {
        UnixMillis(self.now_ms)
    }

    fn completion(&self, pick: usize, operation: Option<Operation>, told: Told) -> Input {
        Input::Complete {
            branch: self.pick(pick),
            operation,
            end: match told {
                Told::Done => CompletionEnd::Succeeded,
                Told::Refused => CompletionEnd::Failed {
                    reason: Reason::new("told"),
                },
            },
        }
    }

    /// Whoever tells that an operation was done knows that it took effect.
    fn told(&mut self, pick: usize, operation: Option<Operation>, told: Told, step: &Step) {
        let meant = operation.or_else(|| settled(step).map(|(_, operation)| operation));
        match (told, meant) {
            (Told::Done, Some(operation)) => {
                self.take_effect(self.pick(pick), operation, Effect::Now);
            }
            (Told::Done, None) | (Told::Refused, _) => {}
        }
    }

    fn pick(&self, pick: usize) -> BranchIndex {
        BranchIndex(u32::try_from(pick % self.ledgers.len()).unwrap())
    }

    /// Drives an input, if it is not refused.
    fn drive(&mut self, input: Input) {
        if let Ok(step) = self.saga.advance(input, self.now_ms) {
            self.called(&step);
        }
    }

    fn answer(&mut self, pick: usize, said: Said, effect: Effect) {
        let Some((branch, operation)) = self.flight(pick) else {
            return;
        };
        let outcome = match said {
            Said::Success => Outcome::Success,
            Said::Refusal => failure(),
            Said::Ongoing => Outcome::Ongoing,
            Said::Nothing => unknown(),
        };
        match said {
            Said::Success => self.take_effect(branch, operation, Effect::Now),
            Said::Refusal => {}
            Said::Ongoing | Said::Nothing => self.take_effect(branch, operation, effect),
        }
        self.drive(answer(&self.saga, branch, operation, outcome));
    }

    fn flight(&self, pick: usize) -> Option<(BranchIndex, Operation)> {
        let flights: Vec<_> = self.saga.flights.keys().copied().collect();
        (!flights.is_empty()).then(|| flights[pick % flights.len()])
    }

    fn take_effect(&mut self, branch: BranchIndex, operation: Operation, effect: Effect) {
        let ledger = &mut self.ledgers[branch.0 as usize];
        match (operation, effect) {
            (Operation::Action, Effect::Now) => ledger.act(),
            (Operation::Action, Effect::Later) => ledger.on_the_way += 1,
            (Operation::Compensation, Effect::Now | Effect::Later) => ledger.undo(),
            (Operation::Action | Operation::Compensation, Effect::Never) => {}
            (Operation::Try | Operation::Confirm | Operation::Cancel, _) => stray(operation),
        }
    }

    fn arrive(&mut self, pick: usize) {
        let branch = self.pick(pick).0 as usize;
        let ledger = &mut self.ledgers[branch];
        if ledger.on_the_way > 0 {
            ledger.on_the_way -= 1;
            ledger.act();
        }
    }

    fn crash(&mut self, effect: Effect) {
        let flights: Vec<_> = self.saga.flights.keys().copied().collect();
        for (branch, operation) in flights {
            self.take_effect(branch, operation, effect);
        }
        let step = self.saga.crash(self.now_ms);
        self.called(&step);
    }

    /// Checks each call at the time it is made.
    fn called(&self, step: &Step) {
        let flights = &self.saga.flights;
        assert!(flights.len() <= self.parallelism, "{flights:?}");
        let overridden = self.saga.txn.overridden().is_some();
        for order in &step.effects {
            let Order::Call(call) = order;
            let branch = call.branch.0 as usize;
            match call.operation {
                Operation::Action => {
                    assert_eq!(self.saga.txn.status(), Status::Submitted);
                    let ready = overridden || self.all_before_acted(branch);
                    assert!(ready, "b{branch} is called before what it comes after");
                    let deadline = self.saga.txn.deadline();
                    let late = deadline.is_some_and(|deadline| deadline.0 <= self.now_ms);
                    assert!(!late, "b{branch} is called after the deadline");
                }
                Operation::Compensation => {
                    assert_eq!(self.saga.txn.status(), Status::Aborting);
                    let acting = |(_, operation): &(_, Operation)| *operation == Operation::Action;
                    assert!(!flights.keys().any(acting), "actions are awaited first");
                    let ready = overridden || self.all_behind_undone(branch);
                    assert!(ready, "b{branch} is undone before what comes after it");
                }
                Operation::Try | Operation::Confirm | Operation::Cancel => stray(call.operation),
            }
        }
    }

    fn all_before_acted(&self, branch: usize) -> bool {
        (0..self.ledgers.len())
            .filter(|earlier| self.descendants[*earlier].contains(&branch))
            .all(|earlier| self.ledgers[earlier].acted)
    }

    fn all_behind_undone(&self, branch: usize) -> bool {
        self.descendants[branch]
            .iter()
            .filter(|later| self.is_compensated(**later))
            .map(|later| self.ledgers[*later])
            .all(|later| later.undone || (!later.acted && later.on_the_way == 0))
    }

    fn is_compensated(&self, branch: usize) -> bool {
        let index = BranchIndex(u32::try_from(branch).unwrap());
        self.saga
            .txn
            .branch(index)
            .unwrap()
            .endpoint(Operation::Compensation)
            .is_some()
    }

    /// The faults stop: each call is answered for good, time passes, and an operator retries what is stuck.
    pub(crate) fn heal(&mut self, refuse: bool) {
        let action = if refuse { Said::Refusal } else { Said::Success };
        for _ in 0..HEALING_STEPS_MAX {
            if self.saga.txn.status().is_final() {
                return;
            }
            match self.flight(0) {
                Some((_, Operation::Action)) => self.answer(0, action, Effect::Never),
                Some((_, Operation::Compensation)) => self.answer(0, Said::Success, Effect::Never),
                Some((_, operation)) => stray(operation),
                None if self.saga.txn.status() == Status::Stuck => {
                    self.play(&Move::Retry { pick: None });
                }
                None => self.wait(),
            }
        }
    }

    /// Passes to the time that the record names, and not beyond.
    fn wait(&mut self) {
        let now = seata_core::UnixMillis(self.now_ms).max(self.saga.txn.updated_at());
        let at = self.saga.txn.alarm(now).expect("an open saga has an alarm");
        self.now_ms = at.0.max(self.now_ms);
        self.drive(Input::Wake);
    }

    /// P3: all or nothing, unless an operator ordered otherwise.
    pub(crate) fn check_end(&mut self) {
        if self.saga.txn.overridden().is_some() {
            return;
        }
        for ledger in &mut self.ledgers {
            if ledger.on_the_way > 0 {
                ledger.act();
            }
        }
        let committed = self.saga.txn.status() == Status::Committed;
        for (at, ledger) in self.ledgers.iter().enumerate() {
            if committed {
                assert!(ledger.acted, "b{at} took no effect in a committed saga");
                assert!(!ledger.undone, "b{at} was undone in a committed saga");
            } else {
                let left = ledger.acted && self.is_compensated(at);
                assert!(!left, "b{at} took effect and was not undone");
            }
        }
    }

    /// A final transaction never moves (P5).
    pub(crate) fn check_final(&mut self) {
        let events = self.saga.events.len();
        self.now_ms += 1_000_000;
        for input in [Input::Wake, Input::Submit, abort_input()] {
            self.drive(input);
        }
        for pick in 0..self.saga.flights.len() {
            self.answer(pick, Said::Refusal, Effect::Never);
        }
        self.crash(Effect::Never);
        assert_eq!(self.saga.events.len(), events);
    }

    /// Breaks the world, to show that the model would notice.
    pub(crate) fn forget_compensation(&mut self) {
        self.ledgers[0] = Ledger {
            acted: true,
            undone: false,
            on_the_way: 0,
        };
    }
}

/// Who names no operation never settles a compensation while the action may be meant.
fn assert_plain(txn: &Transaction, named: Option<Operation>, step: &Step) {
    let (None, Some((branch, Operation::Compensation))) = (named, settled(step)) else {
        return;
    };
    let view = &txn.branches()[branch.0 as usize];
    let action = view
        .operations
        .iter()
        .find(|operation| operation.operation == Operation::Action);
    let status = action.map(|action| action.status);
    assert!(
        matches!(
            status,
            Some(OperationStatus::Succeeded | OperationStatus::Refused)
        ),
        "{branch:?} is settled backward while its action is {status:?}"
    );
}

fn stray(operation: Operation) -> ! {
    panic!("a saga never calls {operation}")
}
