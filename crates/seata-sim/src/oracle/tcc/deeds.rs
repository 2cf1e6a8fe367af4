//! Counts what is asked of and recorded for TCC, and completions of both modes. Judges nothing.

use seata_core::{AbortCause, BranchDefinition, Event, Fact, Gid, Mode};

use crate::faults::{Counts, Deed};
use crate::oracle::tcc::records::untried;
use crate::oracle::{Asked, Oracle, Truth};
use crate::plan::act::Finishing;
use crate::plan::work::is_driven;

impl Oracle {
    /// Says what kind of order this is to a TCC, if it is a kind of its own.
    pub(crate) fn deed_of_demand(&self, gid: &Gid, asked: &Asked) -> Option<Deed> {
        let truth = self.truths.get(gid)?;
        let (submitted, turned) = (truth.submitted_at.is_some(), truth.turned.is_some());
        match asked {
            Asked::Submit if submitted => truth.ended.is_none().then_some(Deed::SecondSubmit),
            Asked::Submit if turned => Some(Deed::ContraryOrder),
            Asked::Submit => untried(truth).map(|_| Deed::SubmitUntried),
            Asked::Abort => submitted.then_some(Deed::ContraryOrder),
            Asked::Add {
                branch_id,
                fingerprint,
            } => {
                let known = truth.index(branch_id).and_then(|index| truth.branch(index));
                let contrary = match known {
                    Some(known) => known.fingerprint != *fingerprint,
                    None => truth.decided.is_some(),
                };
                contrary.then_some(Deed::ContraryOrder)
            }
            Asked::Begin { .. }
            | Asked::Run { .. }
            | Asked::Complete { .. }
            | Asked::Order { .. }
            | Asked::Read => None,
        }
    }
}

/// Counts what was recorded.
pub(in crate::oracle) fn count(truth: &Truth, events: &[Event], counts: &mut Counts) {
    let mode = truth.definition.mode;
    for event in events {
        let deed = match (&event.fact, mode) {
            (Fact::Completed { end, .. }, _) => Some(completed(mode, end.into())),
            (Fact::BranchAdded(branch), Mode::Tcc) => registered(branch),
            (Fact::Hurried { .. }, Mode::Tcc) => Some(Deed::Hurry),
            (Fact::Committed, Mode::Tcc) => Some(Deed::TccCommitted),
            (Fact::Aborted, Mode::Tcc) => Some(Deed::TccAborted),
            (Fact::TurnedRound { cause, .. }, Mode::Tcc) => match cause {
                AbortCause::Deadline | AbortCause::NeverSubmitted => Some(Deed::TccDeadline),
                AbortCause::Requested { .. }
                | AbortCause::Refused { .. }
                | AbortCause::AttemptLimit { .. } => None,
            },
            (_, Mode::Saga | Mode::Tcc) => None,
        };
        if let Some(deed) = deed {
            counts.deed(deed);
        }
    }
}

fn registered(branch: &BranchDefinition) -> Option<Deed> {
    (!is_driven(branch)).then_some(Deed::Register)
}

const fn completed(mode: Mode, how: Finishing) -> Deed {
    match (mode, how) {
        (Mode::Saga, Finishing::Succeeds) => Deed::SagaSucceed,
        (Mode::Saga, Finishing::Fails) => Deed::SagaFail,
        (Mode::Tcc, Finishing::Succeeds) => Deed::TccSucceed,
        (Mode::Tcc, Finishing::Fails) => Deed::TccFail,
    }
}
