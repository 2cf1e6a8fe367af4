//! Participants that remember what they did, and a driver that never knows it for sure.

use std::collections::BTreeMap;
use std::sync::Arc;

use seata_core::{
    BranchIndex, CompletionEnd, Effect as Order, Input, Operation, OperationStatus, Outcome,
    Reason, Status, Step,
};

use crate::driven::Driven;
use crate::interleavings::choices::{Effect, Move, Said, Told};
use crate::script::{
    abort_input, answer, complete, failed, failure, force_input, settled, skip_input, unknown,
};
use crate::spec::{CALL_MS, Spec, branch};

/// More than any TCC of this size needs once the faults have stopped.
const HEALING_STEPS_MAX: usize = 400;

/// What one participant did.
#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    confirmed: bool,
    cancelled: bool,
}

pub(crate) struct World {
    pub(crate) tcc: Driven,
    ledgers: BTreeMap<BranchIndex, Ledger>,
    /// Until when the calls of lost drivers may be on their way.
    lost: Vec<(BranchIndex, i64)>,
    /// When each try in flight ends at the latest.
    limits: BTreeMap<BranchIndex, i64>,
    confirms: usize,
    cancels: usize,
    tries: usize,
    tries_asked: usize,
    parallelism: usize,
    now_ms: i64,
}

impl World {
    pub(crate) fn new(spec: &Spec) -> Self {
        Self {
            tcc: Driven::new(spec),
            ledgers: BTreeMap::new(),
            lost: Vec::new(),
            limits: BTreeMap::new(),
            confirms: 0,
            cancels: 0,
            tries: 0,
            tries_asked: 0,
            parallelism: spec.0.options.branch_parallelism as usize,
            now_ms: 0,
        }
    }

    pub(crate) fn play(&mut self, one: &Move) {
        match one {
            Move::Register => {
                let name = format!("n{}*", self.tcc.txn.branch_count());
                self.drive(Input::AddBranch(Arc::new(branch(&name))));
            }
            Move::Try { pick } => self.ask_try(*pick),
            Move::Submit => self.drive(Input::Submit),
            Move::Abort => self.drive(abort_input()),
            Move::Confirm { pick } => self.about(*pick, |branch| Input::Confirm { branch }),
            Move::Cancel { pick } => self.about(*pick, |branch| Input::Cancel { branch }),
            Move::Complete {
                pick,
                operation,
                told,
            } => self.complete(*pick, *operation, *told),
            Move::Answer { pick, said, effect } => self.answer(*pick, *said, *effect),
            Move::Pass { ms } => self.pass(*ms),
            Move::Flush => self.tcc.durable = self.tcc.events.len(),
            Move::Crash => self.crash(),
            Move::Reload => self.reload(None),
            Move::ReloadOnAbort => self.reload(Some(abort_input())),
            Move::ReloadOnSubmit => self.reload(Some(Input::Submit)),
            Move::ReloadOnTry { pick } => {
                let input = self.try_input(*pick);
                self.tries_asked += 1;
                self.reload(Some(input));
            }
            Move::Compact => self.tcc.compact(),
            Move::Retry { pick } => {
                let branch = pick.and_then(|pick| self.pick(pick));
                self.drive(Input::Retry {
                    branch,
                    reason: Reason::new("operator"),
                });
            }
            Move::Skip { pick, operation } => {
                self.skip(*pick, *operation);
            }
            Move::Force { to } => self.drive(force_input(*to)),
        }
    }

    fn pick(&self, pick: usize) -> Option<BranchIndex> {
        let count = self.tcc.txn.branch_count();
        (count > 0).then(|| BranchIndex(u32::try_from(pick % count).unwrap()))
    }

    fn about(&mut self, pick: usize, input: impl Fn(BranchIndex) -> Input) {
        if let Some(branch) = self.pick(pick) {
            self.drive(input(branch));
        }
    }

    /// Asks for the try of a known branch, or of a new one.
    fn try_input(&self, pick: usize) -> Input {
        let known = self
            .pick(pick)
            .and_then(|branch| self.tcc.txn.branch(branch).cloned())
            .filter(|_| pick > 0);
        let new = || Arc::new(branch(&format!("t{}", self.tcc.txn.branch_count())));
        Input::Try(known.unwrap_or_else(new))
    }

    fn ask_try(&mut self, pick: usize) {
        let input = self.try_input(pick);
        self.tries_asked += 1;
        self.drive(input);
    }

    /// Drives an input, if it is not refused.
    fn drive(&mut self, input: Input) {
        if let Ok(step) = self.tcc.advance(input, self.now_ms) {
            self.called(&step);
        }
    }

    fn skip(&mut self, pick: usize, operation: Option<Operation>) {
        let Some(branch) = self.pick(pick) else {
            return;
        };
        let input = skip_input(branch, operation);
        if let Ok(step) = self.tcc.advance(input, self.now_ms) {
            self.assert_plain(operation, &step);
            self.called(&step);
        }
    }

    fn complete(&mut self, pick: usize, operation: Option<Operation>, told: Told) {
        let Some(branch) = self.pick(pick) else {
            return;
        };
        let end = match told {
            Told::Done => CompletionEnd::Succeeded,
            Told::Refused => failed(),
        };
        let input = complete(branch, operation, end);
        if let Ok(step) = self.tcc.advance(input, self.now_ms) {
            self.assert_plain(operation, &step);
            let meant = operation.or_else(|| settled(&step).map(|(_, operation)| operation));
            match (told, meant) {
                (Told::Done, Some(operation)) => self.take_effect(branch, operation),
                (Told::Done, None) | (Told::Refused, _) => {}
            }
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
        match (said, effect) {
            (Said::Success, _) | (Said::Ongoing | Said::Nothing, Effect::Now) => {
                self.take_effect(branch, operation);
            }
            (Said::Refusal, _) | (Said::Ongoing | Said::Nothing, Effect::Never) => {}
        }
        self.limits
            .retain(|known, _| operation != Operation::Try || *known != branch);
        self.drive(answer(&self.tcc, branch, operation, outcome));
    }

    fn flight(&self, pick: usize) -> Option<(BranchIndex, Operation)> {
        let flights: Vec<_> = self.tcc.flights.keys().copied().collect();
        (!flights.is_empty()).then(|| flights[pick % flights.len()])
    }

    fn take_effect(&mut self, branch: BranchIndex, operation: Operation) {
        let ledger = self.ledgers.entry(branch).or_default();
        match operation {
            Operation::Confirm => ledger.confirmed = true,
            Operation::Cancel => ledger.cancelled = true,
            Operation::Try => {}
            Operation::Action | Operation::Compensation => stray(operation),
        }
    }

    /// Lets time pass. A driver's own call of a try has ended by its limit.
    fn pass(&mut self, ms: i64) {
        let until = self.now_ms + ms;
        while let Some((branch, limit)) = self
            .limits
            .iter()
            .map(|(branch, limit)| (*branch, *limit))
            .find(|(_, limit)| *limit <= until)
        {
            self.now_ms = self.now_ms.max(limit);
            self.limits.remove(&branch);
            if self.tcc.flights.contains_key(&(branch, Operation::Try)) {
                self.drive(answer(&self.tcc, branch, Operation::Try, unknown()));
            }
        }
        self.now_ms = until;
        self.drive(Input::Wake);
    }

    fn crash(&mut self) {
        self.lost.extend(std::mem::take(&mut self.limits));
        let step = self.tcc.crash(self.now_ms);
        self.called(&step);
    }

    fn reload(&mut self, order: Option<Input>) {
        let step = self.tcc.reload(order, self.now_ms);
        self.called(&step);
    }

    /// Checks each call at the time it is made.
    fn called(&mut self, step: &Step) {
        assert!(
            self.tcc.flights.len() <= self.parallelism,
            "{:?}",
            self.tcc.flights
        );
        for order in &step.effects {
            let Order::Call(call) = order;
            match call.operation {
                Operation::Try => {
                    assert_eq!(self.tcc.txn.status(), Status::Prepared);
                    let limit = self.now_ms + i64::try_from(CALL_MS).unwrap();
                    self.limits.insert(call.branch, limit);
                    self.tries += 1;
                    assert!(
                        self.tries <= self.tries_asked,
                        "a try is never repeated alone"
                    );
                }
                Operation::Confirm => {
                    self.confirms += 1;
                    assert_eq!(self.tcc.txn.status(), Status::Submitted);
                    self.assert_awaited(call.branch);
                }
                Operation::Cancel => {
                    self.cancels += 1;
                    assert_eq!(self.tcc.txn.status(), Status::Aborting);
                    self.assert_awaited(call.branch);
                }
                Operation::Action | Operation::Compensation => stray(call.operation),
            }
            assert!(self.confirms == 0 || self.cancels == 0, "never both sides");
        }
    }

    /// Who names no operation never settles a confirm or a cancel while the try may be meant.
    fn assert_plain(&self, named: Option<Operation>, step: &Step) {
        let (None, Some((branch, Operation::Confirm | Operation::Cancel))) = (named, settled(step))
        else {
            return;
        };
        let view = &self.tcc.txn.branches()[branch.0 as usize];
        let trial = view
            .operations
            .iter()
            .find(|operation| operation.operation == Operation::Try);
        let status = trial.map(|trial| trial.status);
        assert!(
            matches!(
                status,
                Some(OperationStatus::Succeeded | OperationStatus::Refused)
            ),
            "{branch:?} is settled while its try is {status:?}"
        );
    }

    fn assert_awaited(&self, branch: BranchIndex) {
        let flies = self.tcc.flights.contains_key(&(branch, Operation::Try));
        assert!(!flies, "{branch:?} is decided while its try is in flight");
        for (lost, until) in &self.lost {
            assert!(
                *lost != branch || *until <= self.now_ms,
                "{branch:?} is decided at {} while a lost try may be on its way until {until}",
                self.now_ms
            );
        }
    }

    /// The faults stop: each call is answered for good, time passes, and an operator retries what is stuck.
    pub(crate) fn heal(&mut self, tries: Said) {
        for _ in 0..HEALING_STEPS_MAX {
            if self.tcc.txn.status().is_final() {
                return;
            }
            match self.flight(0) {
                Some((_, Operation::Try)) => self.answer(0, tries, Effect::Never),
                Some(_) => self.answer(0, Said::Success, Effect::Never),
                None if self.tcc.txn.status() == Status::Stuck => {
                    self.play(&Move::Retry { pick: None });
                }
                None => self.wait(),
            }
        }
    }

    /// Passes to the time that the record names, and not beyond.
    fn wait(&mut self) {
        let now = seata_core::UnixMillis(self.now_ms).max(self.tcc.txn.updated_at());
        let at = self.tcc.txn.alarm(now).expect("an open TCC has an alarm");
        self.now_ms = at.0.max(self.now_ms);
        self.drive(Input::Wake);
    }

    /// P3: all or nothing, unless an operator ordered otherwise.
    pub(crate) fn check_end(&self) {
        if self.tcc.txn.overridden().is_some() {
            return;
        }
        let committed = self.tcc.txn.status() == Status::Committed;
        let branches = u32::try_from(self.tcc.txn.branch_count()).unwrap();
        for branch in (0..branches).map(BranchIndex) {
            let ledger = self.ledgers.get(&branch).copied().unwrap_or_default();
            if committed {
                assert!(ledger.confirmed, "{branch:?} was not confirmed");
                assert!(!ledger.cancelled, "{branch:?} was cancelled too");
            } else {
                assert!(ledger.cancelled, "{branch:?} was not cancelled");
                assert!(!ledger.confirmed, "{branch:?} was confirmed too");
            }
        }
    }

    /// A final transaction never moves (P5).
    pub(crate) fn check_final(&mut self) {
        let events = self.tcc.events.len();
        self.now_ms += 1_000_000;
        for input in [Input::Wake, Input::Submit, abort_input()] {
            self.drive(input);
        }
        for pick in 0..self.tcc.flights.len() {
            self.answer(pick, Said::Refusal, Effect::Never);
        }
        self.crash();
        assert_eq!(self.tcc.events.len(), events);
    }

    /// Breaks the world, to show that the model would notice.
    pub(crate) fn forget(&mut self, operation: Operation) {
        let ledger = self.ledgers.entry(BranchIndex(0)).or_default();
        match operation {
            Operation::Confirm => ledger.confirmed = false,
            Operation::Cancel => ledger.cancelled = false,
            Operation::Try | Operation::Action | Operation::Compensation => stray(operation),
        }
    }
}

fn stray(operation: Operation) -> ! {
    panic!("not here: {operation}")
}
