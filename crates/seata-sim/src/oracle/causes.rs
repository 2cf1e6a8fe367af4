//! Judges why transactions were aborted: P4.

use seata_core::{AbortCause, BranchDefinition, BranchIndex, Gid, Mode, Operation};

use crate::oracle::{Oracle, Truth};
use crate::participant::Participants;
use crate::plan::act::Finishing;

impl Oracle {
    /// A transaction is aborted for a cause that somebody can name.
    pub(super) fn judge_cause(&self, truth: &Truth, participants: &Participants) -> Option<String> {
        let turned = truth.turned.as_ref()?;
        let gid = &truth.header.gid;
        let options = &truth.definition.options;
        let found = match &turned.cause {
            AbortCause::Refused { .. } | AbortCause::AttemptLimit { .. }
                if truth.definition.mode == Mode::Tcc =>
            {
                false
            }
            AbortCause::Refused { branch } => is_refused(truth, participants, *branch),
            AbortCause::AttemptLimit { branch } => truth.branch(*branch).is_some_and(|branch| {
                let limit = branch.retry(options).max_attempts;
                limit > 0
                    && self.calls_of(gid, branch) >= usize::try_from(limit).unwrap_or(usize::MAX)
            }),
            AbortCause::Deadline => truth
                .deadline()
                .is_some_and(|deadline| deadline <= turned.at),
            AbortCause::Requested { .. } => self.sent.get(gid).is_some_and(|sent| sent.aborts > 0),
            AbortCause::NeverSubmitted => {
                truth.submitted_at.is_none()
                    && truth.header.created_at.plus(options.prepared_timeout) <= turned.at
            }
        };
        (!found).then(|| format!("aborted without a cause: {:?}", turned.cause))
    }

    fn calls_of(&self, gid: &Gid, branch: &BranchDefinition) -> usize {
        let key = (gid.clone(), branch.branch_id.clone(), Operation::Action);
        self.by_key.get(&key).map_or(0, Vec::len)
    }
}

/// Answers whether an action was refused, by its participant or from outside, before anybody said that it is done.
fn is_refused(truth: &Truth, participants: &Participants, index: BranchIndex) -> bool {
    let part = (index, Operation::Action);
    let Some(branch) = truth.branch(index) else {
        return false;
    };
    if truth.said_to_have_failed.contains(&part) {
        return true;
    }
    match truth.completed.get(&part) {
        Some((Finishing::Succeeds, _)) => false,
        Some((Finishing::Fails, _)) => true,
        None => {
            let ledger = participants.ledger(&truth.header.gid, &branch.branch_id);
            ledger.refusals(Operation::Action) > 0
        }
    }
}
