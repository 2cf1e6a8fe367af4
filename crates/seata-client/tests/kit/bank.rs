//! A bank whose accounts follow the rules, but for one flaw each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use seata_client::{Answer, Call, Operation, Participant};
use tokio::task::yield_now;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    DoesTwice,
    /// Looks whether it was asked before, and does the work later: two deliveries at once pass.
    Races,
    UndoesTwice,
    UndoesWhatWasNeverDone,
    RefusesToUndoNothing,
    /// Undoes nothing when there is nothing to undo, but forgets that it was asked.
    LetsHangingThrough,
    RefusesRepetitions,
    NeverUndoes,
    RefusesToUndo,
    Refuses,
    IsSilent,
}

#[derive(Default)]
pub(crate) struct Bank {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    balances: BTreeMap<&'static str, i64>,
    /// What a barrier would keep: (gid, branch, operation).
    claims: BTreeSet<String>,
}

impl Bank {
    pub(crate) fn reset(&self) {
        let mut state = self.state.lock().unwrap();
        state.balances = BTreeMap::from([("debit", 100), ("credit", 100)]);
    }

    pub(crate) fn balances(&self) -> [i64; 2] {
        let state = self.state.lock().unwrap();
        ["debit", "credit"].map(|name| state.balances[name])
    }

    /// Claims an operation; says whether it was free.
    fn claim(&self, key: &str, operation: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        state.claims.insert(format!("{key}/{operation}"))
    }

    fn is_claimed(&self, key: &str, operation: &str) -> bool {
        let state = self.state.lock().unwrap();
        state.claims.contains(&format!("{key}/{operation}"))
    }

    fn add(&self, name: &'static str, amount: i64) {
        *self.state.lock().unwrap().balances.get_mut(name).unwrap() += amount;
    }
}

pub(crate) struct Account {
    bank: Arc<Bank>,
    name: &'static str,
    flaw: Flaw,
}

impl Account {
    pub(crate) fn new(bank: &Arc<Bank>, name: &'static str, flaw: Flaw) -> Self {
        Self {
            bank: Arc::clone(bank),
            name,
            flaw,
        }
    }

    async fn forward(&self, key: &str, amount: i64) -> Answer {
        if self.flaw == Flaw::Refuses {
            return Answer::failure("closed");
        }
        if self.flaw == Flaw::IsSilent {
            let reason = "out of order".to_owned();
            return Answer::Unknown { reason };
        }
        if self.flaw == Flaw::Races {
            if !self.bank.is_claimed(key, "forward") {
                yield_now().await;
                self.bank.claim(key, "forward");
                self.bank.add(self.name, amount);
            }
            return Answer::Success;
        }
        let is_first = self.bank.claim(key, "forward");
        let was_undone = self.bank.is_claimed(key, "undo");
        if is_first || (self.flaw == Flaw::DoesTwice && !was_undone) {
            self.bank.add(self.name, amount);
        } else if self.flaw == Flaw::RefusesRepetitions {
            return Answer::failure("I had that before");
        }
        Answer::Success
    }

    fn undo(&self, key: &str, amount: i64) -> Answer {
        if self.flaw == Flaw::NeverUndoes {
            return Answer::Success;
        }
        if self.flaw == Flaw::RefusesToUndo {
            return Answer::failure("never");
        }
        let was_done = self.bank.is_claimed(key, "forward");
        if !was_done && self.flaw == Flaw::LetsHangingThrough {
            return Answer::Success;
        }
        if !was_done && self.flaw == Flaw::RefusesToUndoNothing {
            return Answer::failure("I know of no such thing");
        }
        self.bank.claim(key, "forward");
        let is_first = self.bank.claim(key, "undo");
        let undoes = if was_done {
            is_first || self.flaw == Flaw::UndoesTwice
        } else {
            is_first && self.flaw == Flaw::UndoesWhatWasNeverDone
        };
        if undoes {
            self.bank.add(self.name, -amount);
        }
        Answer::Success
    }
}

#[async_trait]
impl Participant for Account {
    async fn call(&self, call: &Call) -> Answer {
        let amount: i64 = serde_json::from_slice(&call.payload).unwrap();
        let key = format!("{}/{}", call.gid, call.branch_id);
        match call.operation {
            Operation::Action | Operation::Try => self.forward(&key, amount).await,
            Operation::Compensation | Operation::Cancel => self.undo(&key, amount),
            // What the try did is good already.
            Operation::Confirm => Answer::Success,
        }
    }
}
