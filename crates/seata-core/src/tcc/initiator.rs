//! What a TCC needs of its initiator before anything can be decided.

use crate::branch::{Branch, Stage};
use crate::tcc::decide::expires_at;
use crate::tcc::input::{refused_try, unknown_try};
use crate::transaction::Transaction;
use crate::view::WaitingFor;

/// Answers which word of its initiator an undecided TCC waits for, while no call is in flight.
pub(crate) fn waiting_for_initiator(txn: &Transaction) -> WaitingFor {
    let until = expires_at(txn);
    if let Some((branch, reason)) = refused_try(txn) {
        return WaitingFor::Abort {
            branch_id: branch.definition.branch_id.clone(),
            reason,
            until,
        };
    }
    match unknown_try(txn).filter(|branch| is_left(branch)) {
        Some(branch) => WaitingFor::Try {
            branch_id: branch.definition.branch_id.clone(),
            until,
        },
        None => WaitingFor::Submission { until },
    }
}

/// Says whether nobody makes an attempt at a try any more, on whichever server.
fn is_left(branch: &Branch) -> bool {
    match branch.trial.stage {
        Stage::Idle => true,
        Stage::Requested | Stage::Calling { .. } => false,
    }
}
