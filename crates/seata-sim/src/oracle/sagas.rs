//! Judges the calls of sagas: P1, P2, P7's deadline, and the order of branches.

use std::collections::BTreeSet;

use seata_core::{BranchIndex, Operation};
use seata_store::Owner;

use crate::oracle::{Now, Oracle, Promise, Truth};
use crate::participant::{Holding, Participants};

impl Oracle {
    pub(super) fn judge_action(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        participants: &Participants,
        now: Now,
    ) -> Option<(Promise, String)> {
        if truth.submitted_at.is_none() {
            return Some((
                Promise::P1,
                format!("the action of {branch:?} was called before the submission was durable"),
            ));
        }
        if let Some(turned) = &truth.turned
            && !turned.compensate.contains(&branch)
            && truth
                .branch(branch)
                .is_some_and(|definition| definition.endpoint(Operation::Compensation).is_some())
        {
            let what = format!(
                "the action of {branch:?} was called after the decision that it needs no compensation"
            );
            return Some((Promise::P3, what));
        }
        if let Some(deadline) = truth.deadline()
            && now.store > deadline.plus(self.bound.deadline)
        {
            let what = format!(
                "the action of {branch:?} was called {:?} after the deadline",
                now.store.since(deadline)
            );
            return Some((Promise::P7, what));
        }
        let early = truth.before(branch).into_iter().find(|earlier| {
            let took_effect = truth
                .branch(*earlier)
                .is_some_and(|definition| !has_not_acted(truth, participants, definition));
            !took_effect && !truth.skipped.contains(&(*earlier, Operation::Action))
        });
        early.map(|earlier| {
            (
                Promise::P8,
                format!("{branch:?} was called before {earlier:?}, which it comes after"),
            )
        })
    }

    pub(super) fn judge_compensation(
        &self,
        truth: &Truth,
        branch: BranchIndex,
        owner: Owner,
        participants: &Participants,
    ) -> Option<(Promise, String)> {
        let gid = &truth.header.gid;
        let Some(turned) = &truth.turned else {
            return Some((
                Promise::P2,
                format!("{branch:?} was compensated before the decision was durable"),
            ));
        };
        if !turned.compensate.contains(&branch) {
            return Some((
                Promise::P2,
                format!("{branch:?} was compensated, which the decision does not list"),
            ));
        }
        if self
            .flying_of(gid, owner)
            .any(|other| other.key.2 == Operation::Action)
        {
            return Some((
                Promise::P8,
                format!("{branch:?} was compensated while an action was in flight"),
            ));
        }
        let behind = truth.behind(branch);
        let early = turned.compensate.iter().find(|later| {
            behind.contains(later)
                && !truth.skipped.contains(&(**later, Operation::Compensation))
                && {
                    let Some(definition) = truth.branch(**later) else {
                        return false;
                    };
                    let ledger = participants.ledger(gid, &definition.branch_id);
                    !ledger.holding.is_compensated() && ledger.refusals(Operation::Action) == 0
                }
        });
        early.map(|later| {
            (
                Promise::P8,
                format!("{branch:?} was compensated before {later:?}, which comes after it"),
            )
        })
    }
}

impl Truth {
    /// Answers the branches that must be done before this one, those before them not included.
    pub(crate) fn before(&self, branch: BranchIndex) -> Vec<BranchIndex> {
        let Some(definition) = self.branch(branch) else {
            return Vec::new();
        };
        let mut before: Vec<BranchIndex> = definition
            .after
            .iter()
            .filter_map(|name| self.index(name))
            .collect();
        if self.definition.options.order == seata_core::Order::Sequential && branch.0 > 0 {
            before.push(BranchIndex(branch.0 - 1));
        }
        before
    }

    /// Answers all branches that come after this one, however far.
    pub(crate) fn behind(&self, branch: BranchIndex) -> BTreeSet<BranchIndex> {
        let count = u32::try_from(self.branches.len()).unwrap_or(u32::MAX);
        let mut behind = BTreeSet::new();
        let mut open = vec![branch];
        while let Some(earlier) = open.pop() {
            for later in (0..count).map(BranchIndex) {
                if self.before(later).contains(&earlier) && behind.insert(later) {
                    open.push(later);
                }
            }
        }
        behind
    }
}

fn has_not_acted(
    truth: &Truth,
    participants: &Participants,
    definition: &seata_core::BranchDefinition,
) -> bool {
    participants
        .ledger(&truth.header.gid, &definition.branch_id)
        .holding
        == Holding::Untouched
}
