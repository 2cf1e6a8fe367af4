//! What a participant holds of one branch, and its barrier.

use std::collections::{BTreeMap, BTreeSet};

use seata_core::Operation;

use crate::faults::Fault;
use crate::participant::Visit;
use crate::plan::behaviour::Manner;

/// What a participant holds of one branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holding {
    /// Nothing came, or nothing took effect.
    #[default]
    Untouched,
    /// The try took effect, and nothing after it.
    Reserved,
    /// The action or the confirm took effect.
    Present,
    /// What had taken effect was undone, or what was reserved was freed.
    Undone,
    /// A compensation or a cancel came first: the action or the try will never take effect.
    Barred,
}

impl Holding {
    /// Answers whether the compensation or the cancel has been carried out.
    pub(crate) const fn is_compensated(self) -> bool {
        match self {
            Self::Undone | Self::Barred => true,
            Self::Untouched | Self::Reserved | Self::Present => false,
        }
    }

    /// Answers whether this operation finds nothing to do any more.
    pub(super) fn has_settled(self, operation: Operation) -> bool {
        match operation {
            Operation::Action | Operation::Try => self != Self::Untouched,
            Operation::Confirm => self == Self::Present,
            Operation::Compensation | Operation::Cancel => self.is_compensated(),
        }
    }
}

/// One branch at its participant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) holding: Holding,
    arrivals: BTreeMap<Operation, u32>,
    /// How often it said no.
    refusals: BTreeMap<Operation, u32>,
    /// The operation that came last.
    pub(crate) last: Option<Operation>,
    /// How often a try took effect.
    pub(crate) reservations: u32,
    /// How often a confirm found nothing reserved.
    pub(crate) confirms_untried: u32,
    /// How often a confirm came after a cancel, or a cancel after a confirm.
    pub(crate) contradictions: u32,
    /// Attempts whose answer, if any, settled nothing.
    pub(super) unsettled: u32,
    /// The requests that were refused: a copy of one of them never takes effect, for "no" means "and never will".
    refused: BTreeSet<u64>,
}

impl Ledger {
    pub(crate) fn refusals(&self, operation: Operation) -> u32 {
        self.refusals.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn count_arrival(&mut self, operation: Operation) -> u32 {
        self.last = Some(operation);
        let arrivals = self.arrivals.entry(operation).or_default();
        *arrivals += 1;
        *arrivals
    }

    pub(super) fn refuses(&self, manner: &Manner, visit: Visit) -> bool {
        manner.refuses.at(visit.arrival) || self.refused.contains(&visit.request)
    }

    /// Refuses a request for ever, and answers what kind of refusal that is.
    pub(super) fn note_refusal(&mut self, visit: Visit) -> Fault {
        self.refused.insert(visit.request);
        self.count_refusal(visit.operation);
        if self.unsettled > 0 || visit.arrival > 1 {
            Fault::RefusalAfterUnknown
        } else {
            Fault::Refusal
        }
    }

    pub(super) fn count_refusal(&mut self, operation: Operation) {
        *self.refusals.entry(operation).or_default() += 1;
    }

    /// Carries an operation out, unless the barrier stops it. One that contradicts an earlier one changes nothing.
    pub(super) fn take_effect(&mut self, operation: Operation) {
        let before = self.holding;
        self.holding = match (operation, before) {
            (Operation::Action, Holding::Untouched) => Holding::Present,
            (Operation::Try, Holding::Untouched) => {
                self.reservations += 1;
                Holding::Reserved
            }
            (Operation::Action | Operation::Try, standing) => standing,
            (Operation::Confirm, Holding::Untouched) => {
                self.confirms_untried += 1;
                Holding::Present
            }
            (Operation::Confirm, Holding::Reserved | Holding::Present) => Holding::Present,
            (Operation::Compensation, Holding::Reserved | Holding::Present | Holding::Undone)
            | (Operation::Cancel, Holding::Reserved | Holding::Undone) => Holding::Undone,
            (Operation::Compensation | Operation::Cancel, Holding::Untouched | Holding::Barred) => {
                Holding::Barred
            }
            (Operation::Confirm, Holding::Undone | Holding::Barred)
            | (Operation::Cancel, Holding::Present) => {
                self.contradictions += 1;
                before
            }
        };
    }
}
