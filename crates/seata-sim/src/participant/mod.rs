//! The participants: per branch a ledger with a barrier, as P8 demands of them. They know no coordinator's state.
//!
//! `ledger` is what one of them holds of one branch, `saga` and `tcc` are how it treats a request.

mod ledger;
mod saga;
mod tcc;

use std::collections::BTreeMap;

use seata_core::{BranchId, Gid, Operation, Outcome, Reason};

pub(crate) use ledger::{Holding, Ledger};

use crate::faults::{Counts, Fault};
use crate::plan::behaviour::Behaviour;

/// One request at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// Which request; copies of it bear the same number.
    pub(crate) request: u64,
    pub(crate) operation: Operation,
    pub(crate) arrival: u32,
    pub(crate) service_ms: u64,
}

/// All participants.
#[derive(Debug, Default)]
pub(crate) struct Participants {
    ledgers: BTreeMap<(Gid, BranchId), Ledger>,
}

/// When a request comes, and how long a lease holds, for the counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at_ms: u64,
    pub(crate) lease_ms: u64,
}

impl Participants {
    pub(crate) fn ledger(&self, gid: &Gid, branch: &BranchId) -> Ledger {
        self.ledgers
            .get(&(gid.clone(), branch.clone()))
            .cloned()
            .unwrap_or_default()
    }

    /// Forgets a transaction that is purged and whose name is used again.
    pub(crate) fn forget(&mut self, gid: &Gid) {
        self.ledgers.retain(|(of, _), _| of != gid);
    }

    fn entry(&mut self, gid: &Gid, branch: &BranchId) -> &mut Ledger {
        self.ledgers
            .entry((gid.clone(), branch.clone()))
            .or_default()
    }

    /// Takes a request in. None: the participant is dead.
    pub(crate) fn arrive(
        &mut self,
        (gid, branch): (&Gid, &BranchId),
        (request, operation): (u64, Operation),
        behaviour: &Behaviour,
        moment: Moment,
        counts: &mut Counts,
    ) -> Option<Visit> {
        let ledger = self.entry(gid, branch);
        if behaviour.outages.covers(moment.at_ms) {
            ledger.unsettled += 1;
            counts.fault(if behaviour.outages.0.len() > 1 {
                Fault::Flapping
            } else {
                Fault::Dead
            });
            return None;
        }
        let arrival = ledger.count_arrival(operation);
        let manner = behaviour.manner(operation);
        if arrival <= manner.slow_count {
            counts.fault(if manner.slow_ms > moment.lease_ms {
                Fault::SlowerThanLease
            } else {
                Fault::Slow
            });
        }
        // A repetition of what took effect is answered at once, as a barrier does.
        let service_ms = if ledger.holding.has_settled(operation) {
            1
        } else {
            manner.service(arrival)
        };
        Some(Visit {
            request,
            operation,
            arrival,
            service_ms,
        })
    }

    /// Ends the work on a request: it takes effect, or not, and is answered.
    pub(crate) fn finish(
        &mut self,
        (gid, branch): (&Gid, &BranchId),
        visit: Visit,
        behaviour: &Behaviour,
        counts: &mut Counts,
    ) -> Outcome {
        let ledger = self.entry(gid, branch);
        let manner = behaviour.manner(visit.operation);
        let outcome = match visit.operation {
            Operation::Action => saga::act(ledger, manner, visit, counts),
            Operation::Compensation => saga::compensate(ledger, manner, visit, counts),
            Operation::Try => tcc::reserve(ledger, manner, visit, counts),
            Operation::Confirm | Operation::Cancel => tcc::settle(ledger, manner, visit, counts),
        };
        match outcome {
            Outcome::Unknown { .. } | Outcome::Ongoing => ledger.unsettled += 1,
            Outcome::Success | Outcome::Failure { .. } => {}
        }
        outcome
    }

    /// Finishes an operation by itself, as after an Ongoing, before its success is told from outside.
    pub(crate) fn finish_by_itself(&mut self, gid: &Gid, branch: &BranchId, operation: Operation) {
        self.entry(gid, branch).take_effect(operation);
    }

    /// Notes that the answer to a request never reached its caller in time.
    pub(crate) fn unheard(&mut self, gid: &Gid, branch: &BranchId) {
        self.entry(gid, branch).unsettled += 1;
    }
}

fn error() -> Outcome {
    Outcome::Unknown {
        reason: Reason::new("500"),
    }
}

fn refusal(reason: &str) -> Outcome {
    Outcome::Failure {
        reason: Reason::new(reason),
    }
}
