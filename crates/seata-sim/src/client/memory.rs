//! What a client knows from its own script, and the acts that depend on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use seata_core::{Operation, Outcome};

use crate::client::Heard;
use crate::network;
use crate::plan::act::{Content, Demand, Finishing, Script};
use crate::plan::work::TxPlan;
use crate::world::{World, pause};

/// How far a branch has come, as far as this client knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Registered,
    Tried,
    Refused,
}

/// What a client knows.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<usize, Known>);

impl Memory {
    /// Learns from what was heard of a demand.
    pub(super) fn learn(&mut self, tx: &TxPlan, demand: Demand, heard: Heard) {
        match (demand, heard) {
            (Demand::Begin(Content::Whole) | Demand::Run(Content::Whole), Heard::Yes) => {
                for branch in tx.positions() {
                    self.register(branch);
                }
            }
            (Demand::Register(branch), Heard::Yes) => self.register(branch),
            (Demand::Try(branch), Heard::Yes) => drop(self.0.insert(branch, Known::Tried)),
            (Demand::Try(branch), Heard::No | Heard::Nothing) => {
                self.0.insert(branch, Known::Refused);
            }
            (_, Heard::Yes | Heard::No | Heard::Nothing) => {}
        }
    }

    fn register(&mut self, branch: usize) {
        self.0.entry(branch).or_insert(Known::Registered);
    }

    /// Submits only if every branch was tried, and aborts else.
    pub(super) fn decide(&self, tx: &TxPlan) -> Demand {
        let mut branches = tx.positions();
        if branches.all(|branch| self.0.get(&branch) == Some(&Known::Tried)) {
            Demand::Submit
        } else {
            Demand::Abort
        }
    }

    /// Calls a try until the participant answers, if the branch is known to be registered: never before.
    pub(super) async fn own_try(
        &mut self,
        world: &Arc<World>,
        tx: &TxPlan,
        branch: usize,
        script: &Script,
    ) {
        if !self.0.contains_key(&branch) {
            return;
        }
        for _ in 0..script.tries {
            match network::own_try(world, tx, branch, script.patience_ms).await {
                Some(Outcome::Success) => {
                    self.0.insert(branch, Known::Tried);
                    return;
                }
                Some(Outcome::Failure { .. }) => {
                    self.0.insert(branch, Known::Refused);
                    return;
                }
                Some(Outcome::Ongoing | Outcome::Unknown { .. }) | None => {}
            }
            if world.is_healing() {
                return;
            }
            let pause_ms = world.state().clients.span(20..700);
            pause(pause_ms).await;
        }
    }

    /// Answers what to tell the coordinator of an own try.
    pub(super) fn tell(&self, branch: usize) -> Option<Demand> {
        let how = match self.0.get(&branch)? {
            Known::Registered => return None,
            Known::Tried => Finishing::Succeeds,
            Known::Refused => Finishing::Fails,
        };
        Some(Demand::Complete {
            branch,
            operation: Some(Operation::Try),
            how,
        })
    }
}

/// Has the participant say how its last operation ended. It says what is true: it does the work first. It says nothing
/// if it was asked for nothing yet, or refused that, for "no" means "and never will".
pub(super) fn finish(world: &World, tx: &TxPlan, branch: usize, how: Finishing) -> Option<Demand> {
    let now = world.now();
    let state = &mut *world.state();
    let branch_id = &tx.branch(branch).branch_id;
    let ledger = state.participants.ledger(&tx.gid, branch_id);
    let last = ledger.last.filter(|last| ledger.refusals(*last) == 0)?;
    match how {
        Finishing::Succeeds => {
            state
                .participants
                .finish_by_itself(&tx.gid, branch_id, last);
        }
        Finishing::Fails => {}
    }
    state.trace.note(
        now.ms,
        format_args!("  participant of {} {branch_id}: {last} {how:?}", tx.gid),
    );
    // Only an operation after which none comes can be meant without its name.
    let unnamed = match last {
        Operation::Action | Operation::Try => false,
        Operation::Compensation | Operation::Confirm | Operation::Cancel => state.clients.hits(500),
    };
    Some(Demand::Complete {
        branch,
        operation: (!unnamed).then_some(last),
        how,
    })
}
