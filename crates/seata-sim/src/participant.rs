//! The participants: per branch a ledger with a barrier, as P8 demands of them. They know no coordinator's state.

use std::collections::{BTreeMap, BTreeSet};

use seata_core::{BranchId, Gid, Operation, Outcome, Reason};

use crate::faults::{Counts, Fault};
use crate::plan::behaviour::{Behaviour, Manner};

/// What a participant holds of one branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holding {
    /// Nothing came, or nothing took effect.
    #[default]
    Untouched,
    /// The action took effect.
    Present,
    /// The action took effect and was undone.
    Undone,
    /// A compensation came first: the action will never take effect.
    Barred,
}

impl Holding {
    /// Answers whether the compensation has been carried out.
    pub(crate) const fn is_compensated(self) -> bool {
        match self {
            Self::Undone | Self::Barred => true,
            Self::Untouched | Self::Present => false,
        }
    }
}

/// One branch at its participant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) holding: Holding,
    pub(crate) actions: u32,
    pub(crate) compensations: u32,
    /// How often it said no to its action.
    pub(crate) action_refusals: u32,
    /// How often it said no to its compensation.
    pub(crate) compensation_refusals: u32,
    /// Attempts whose answer, if any, settled nothing.
    unsettled: u32,
    /// The requests that were refused: a copy of one of them never takes effect, for "no" means "and never will".
    refused: BTreeSet<u64>,
}

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
        let arrivals = match operation {
            Operation::Action => &mut ledger.actions,
            Operation::Compensation => &mut ledger.compensations,
            Operation::Try | Operation::Confirm | Operation::Cancel => stray(),
        };
        *arrivals += 1;
        let arrival = *arrivals;
        let manner = manner(behaviour, operation);
        if arrival <= manner.slow_count {
            counts.fault(if manner.slow_ms > moment.lease_ms {
                Fault::SlowerThanLease
            } else {
                Fault::Slow
            });
        }
        // A repetition of what took effect is answered at once, as a barrier does.
        let repeated = match operation {
            Operation::Action => ledger.holding != Holding::Untouched,
            Operation::Compensation => ledger.holding.is_compensated(),
            Operation::Try | Operation::Confirm | Operation::Cancel => stray(),
        };
        let service_ms = if repeated { 1 } else { manner.service(arrival) };
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
        let manner = manner(behaviour, visit.operation);
        let outcome = match visit.operation {
            Operation::Action => act(ledger, manner, visit, counts),
            Operation::Compensation => compensate(ledger, manner, visit.arrival, counts),
            Operation::Try | Operation::Confirm | Operation::Cancel => stray(),
        };
        match outcome {
            Outcome::Unknown { .. } | Outcome::Ongoing => ledger.unsettled += 1,
            Outcome::Success | Outcome::Failure { .. } => {}
        }
        outcome
    }

    /// Notes that the answer to a request never reached its caller in time.
    pub(crate) fn unheard(&mut self, gid: &Gid, branch: &BranchId) {
        self.entry(gid, branch).unsettled += 1;
    }
}

/// All that is planned are sagas.
fn stray() -> ! {
    panic!("a branch of a saga was called with an operation of another mode")
}

fn manner(behaviour: &Behaviour, operation: Operation) -> &Manner {
    match operation {
        Operation::Action => &behaviour.action,
        Operation::Compensation => &behaviour.compensation,
        Operation::Try | Operation::Confirm | Operation::Cancel => stray(),
    }
}

fn error() -> Outcome {
    Outcome::Unknown {
        reason: Reason::new("500"),
    }
}

fn act(ledger: &mut Ledger, manner: &Manner, visit: Visit, counts: &mut Counts) -> Outcome {
    let arrival = visit.arrival;
    match ledger.holding {
        // The barrier's answer to what comes too late or again.
        Holding::Undone | Holding::Barred => return Outcome::Success,
        Holding::Present => {}
        Holding::Untouched => {
            if arrival <= manner.errors_before {
                return error();
            }
            if manner.refuses.at(arrival) || ledger.refused.contains(&visit.request) {
                ledger.refused.insert(visit.request);
                ledger.action_refusals += 1;
                counts.fault(if ledger.unsettled > 0 || arrival > 1 {
                    Fault::RefusalAfterUnknown
                } else {
                    Fault::Refusal
                });
                return Outcome::Failure {
                    reason: Reason::new("409: out of stock"),
                };
            }
        }
    }
    if arrival <= manner.ongoing {
        counts.fault(Fault::Ongoing);
        // Every other one has taken effect already, although it says that it has not finished.
        if manner.service_ms.is_multiple_of(2) {
            ledger.holding = Holding::Present;
        }
        return Outcome::Ongoing;
    }
    ledger.holding = Holding::Present;
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}

fn compensate(ledger: &mut Ledger, manner: &Manner, arrival: u32, counts: &mut Counts) -> Outcome {
    if !ledger.holding.is_compensated() {
        if arrival <= manner.errors_before {
            return error();
        }
        if manner.refuses.at(arrival) {
            ledger.compensation_refusals += 1;
            counts.fault(Fault::RefusedCompensation);
            return Outcome::Failure {
                reason: Reason::new("409: already shipped"),
            };
        }
        if arrival <= manner.ongoing {
            counts.fault(Fault::Ongoing);
            return Outcome::Ongoing;
        }
    }
    ledger.holding = match ledger.holding {
        Holding::Present | Holding::Undone => Holding::Undone,
        Holding::Untouched | Holding::Barred => Holding::Barred,
    };
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}
