//! What participants do for a TCC: try reserves, confirm makes an effect of the reservation, cancel frees it.

use seata_core::{Operation, Outcome};

use crate::faults::{Counts, Fault};
use crate::participant::{Holding, Ledger, Visit, error, refusal};
use crate::plan::behaviour::Manner;

pub(super) fn reserve(
    ledger: &mut Ledger,
    manner: &Manner,
    visit: Visit,
    counts: &mut Counts,
) -> Outcome {
    let arrival = visit.arrival;
    match ledger.holding {
        // The barrier's answer to what comes too late or again.
        Holding::Present | Holding::Undone | Holding::Barred => return Outcome::Success,
        Holding::Reserved => {}
        Holding::Untouched => {
            if arrival <= manner.errors_before {
                return error();
            }
            if ledger.refuses(manner, visit) {
                counts.fault(ledger.note_refusal(visit));
                return refusal("409: out of stock");
            }
        }
    }
    if arrival <= manner.ongoing {
        counts.fault(Fault::Ongoing);
        // Every other one has reserved already, although it says that it has not finished.
        if manner.service_ms.is_multiple_of(2) {
            ledger.take_effect(Operation::Try);
        }
        return Outcome::Ongoing;
    }
    ledger.take_effect(Operation::Try);
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}

/// Confirms or cancels.
pub(super) fn settle(
    ledger: &mut Ledger,
    manner: &Manner,
    visit: Visit,
    counts: &mut Counts,
) -> Outcome {
    let arrival = visit.arrival;
    if !ledger.holding.has_settled(visit.operation) {
        if arrival <= manner.errors_before {
            return error();
        }
        if manner.refuses.at(arrival) {
            ledger.count_refusal(visit.operation);
            counts.fault(match visit.operation {
                Operation::Confirm => Fault::RefusedConfirm,
                Operation::Cancel
                | Operation::Try
                | Operation::Action
                | Operation::Compensation => Fault::RefusedCancel,
            });
            return refusal("409: the reservation can't be found");
        }
        if arrival <= manner.ongoing {
            counts.fault(Fault::Ongoing);
            return Outcome::Ongoing;
        }
    }
    ledger.take_effect(visit.operation);
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}
