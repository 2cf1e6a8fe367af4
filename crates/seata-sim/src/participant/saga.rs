//! What participants do for a saga: the action takes effect, the compensation undoes it.

use seata_core::{Operation, Outcome};

use crate::faults::{Counts, Fault};
use crate::participant::{Holding, Ledger, Visit, error, refusal};
use crate::plan::behaviour::Manner;

pub(super) fn act(
    ledger: &mut Ledger,
    manner: &Manner,
    visit: Visit,
    counts: &mut Counts,
) -> Outcome {
    let arrival = visit.arrival;
    match ledger.holding {
        // The barrier's answer to what comes too late or again.
        Holding::Undone | Holding::Barred => return Outcome::Success,
        Holding::Reserved | Holding::Present => {}
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
        // Every other one has taken effect already, although it says that it has not finished.
        if manner.service_ms.is_multiple_of(2) {
            ledger.take_effect(Operation::Action);
        }
        return Outcome::Ongoing;
    }
    ledger.take_effect(Operation::Action);
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}

pub(super) fn compensate(
    ledger: &mut Ledger,
    manner: &Manner,
    visit: Visit,
    counts: &mut Counts,
) -> Outcome {
    let arrival = visit.arrival;
    if !ledger.holding.is_compensated() {
        if arrival <= manner.errors_before {
            return error();
        }
        if manner.refuses.at(arrival) {
            ledger.count_refusal(visit.operation);
            counts.fault(Fault::RefusedCompensation);
            return refusal("409: already shipped");
        }
        if arrival <= manner.ongoing {
            counts.fault(Fault::Ongoing);
            return Outcome::Ongoing;
        }
    }
    ledger.take_effect(Operation::Compensation);
    if arrival <= manner.errors_after {
        counts.fault(Fault::ErrorAfterEffect);
        return error();
    }
    Outcome::Success
}
