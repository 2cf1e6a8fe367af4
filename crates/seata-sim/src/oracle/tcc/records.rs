//! Judges what is recorded of a TCC, and what its participants hold in the end.

use seata_core::{BranchIndex, Event, Fact, Mode, Operation};

use crate::oracle::{Breach, Promise, Truth};
use crate::participant::Participants;
use crate::plan::work::is_driven;

/// Answers a branch whose try the coordinator makes and which is not known to have succeeded.
pub(super) fn untried(truth: &Truth) -> Option<BranchIndex> {
    truth
        .indices()
        .find(|(index, branch)| is_driven(branch) && !truth.is_done((*index, Operation::Try)))
        .map(|(index, _)| index)
}

/// Judges what is recorded of a TCC before it is: decisions never change sides, and ends are what was done.
pub(in crate::oracle) fn judge_fact(truth: &Truth, event: &Event) -> Result<(), Breach> {
    if truth.definition.mode != Mode::Tcc {
        return Ok(());
    }
    let overridden = truth.forced.is_some();
    let undone = |operation: Operation| {
        truth
            .indices()
            .find(|(index, _)| !truth.is_done((*index, operation)))
            .filter(|_| !overridden)
            .map(|(index, _)| format!("an end was recorded without the {operation} of {index:?}"))
    };
    let breach = match &event.fact {
        Fact::Submitted if truth.branches.is_empty() => {
            Some((Promise::P4, "submitted without branches".to_owned()))
        }
        Fact::Submitted => untried(truth).map(|branch| {
            let what =
                format!("submitted while the try of {branch:?} was not known to have succeeded");
            (Promise::P4, what)
        }),
        Fact::TurnedRound { .. } if truth.submitted_at.is_some() => Some((
            Promise::P5,
            "decided to cancel after the decision to confirm".to_owned(),
        )),
        Fact::BranchAdded(_) | Fact::TryRequested { .. } if truth.decided.is_some() => Some((
            Promise::P5,
            format!("{} was recorded after the decision", event.fact.as_str()),
        )),
        Fact::Committed => undone(Operation::Confirm).map(|what| (Promise::P3, what)),
        Fact::Aborted => undone(Operation::Cancel).map(|what| (Promise::P3, what)),
        Fact::TurnedRound { .. }
        | Fact::BranchAdded(_)
        | Fact::TryRequested { .. }
        | Fact::Created(_)
        | Fact::AbortRequested { .. }
        | Fact::Answered(_)
        | Fact::Recovered { .. }
        | Fact::Stuck { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. }
        | Fact::Elided { .. } => None,
    };
    breach.map_or(Ok(()), Err)
}

/// What participants saw of a TCC that they never should.
pub(in crate::oracle) fn judge_ledgers(
    truth: &Truth,
    participants: &Participants,
) -> Option<Breach> {
    let gid = &truth.header.gid;
    truth.indices().find_map(|(index, branch)| {
        let ledger = participants.ledger(gid, &branch.branch_id);
        if ledger.contradictions > 0 {
            let what = format!("{index:?} was both confirmed and cancelled");
            return Some((Promise::P5, what));
        }
        let skipped = truth.skipped.contains(&(index, Operation::Try));
        (ledger.confirms_untried > 0 && is_driven(branch) && !skipped).then(|| {
            let what = format!("{index:?} was confirmed without a try that took effect");
            (Promise::P4, what)
        })
    })
}
