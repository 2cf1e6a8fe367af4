//! The order among branches: who comes after whom, checked to be free of circles.

use std::sync::Arc;

use crate::definition::{BranchDefinition, Order};
use crate::event::BranchIndex;
use crate::rejection::Rejection;

/// For each branch, who must be done before it and who waits for it. Empty if nobody waits for anybody: most have no order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Dag {
    before: Vec<Vec<BranchIndex>>,
    behind: Vec<Vec<BranchIndex>>,
}

impl Dag {
    /// Resolves `after` and the order as added.
    ///
    /// # Errors
    /// A name given twice, an unknown name in `after`, or a circle, each by name.
    pub(crate) fn build(
        branches: &[Arc<BranchDefinition>],
        order: Order,
    ) -> Result<Self, Rejection> {
        let by_name = sorted_by_name(branches)?;
        let is_free = |branch: &Arc<BranchDefinition>| branch.after.is_empty();
        if order == Order::Concurrent && branches.iter().all(is_free) {
            return Ok(Self::independent());
        }
        let mut dag = Self {
            before: Vec::with_capacity(branches.len()),
            behind: vec![Vec::new(); branches.len()],
        };
        for (at, branch) in branches.iter().enumerate() {
            let mut before = resolve(branches, &by_name, branch)?;
            if order == Order::Sequential && at > 0 {
                before.push(index(at - 1));
            }
            before.sort_unstable();
            before.dedup();
            for earlier in &before {
                dag.behind[earlier.at()].push(index(at));
            }
            dag.before.push(before);
        }
        dag.refuse_cycle(branches)?;
        Ok(dag)
    }

    /// Lets nobody wait for anybody.
    pub(crate) fn independent() -> Self {
        Self::default()
    }

    /// Answers whether nobody waits for anybody.
    pub(crate) const fn is_independent(&self) -> bool {
        self.before.is_empty()
    }

    /// Answers who must be done before a branch.
    pub(crate) fn before(&self, branch: BranchIndex) -> &[BranchIndex] {
        self.before.get(branch.at()).map_or(&[], Vec::as_slice)
    }

    /// Answers who waits for a branch.
    pub(crate) fn behind(&self, branch: BranchIndex) -> &[BranchIndex] {
        self.behind.get(branch.at()).map_or(&[], Vec::as_slice)
    }

    /// Kahn's algorithm; what remains holds a circle.
    fn refuse_cycle(&self, branches: &[Arc<BranchDefinition>]) -> Result<(), Rejection> {
        let mut waits_for: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut free: Vec<usize> = (0..waits_for.len())
            .filter(|at| waits_for[*at] == 0)
            .collect();
        let mut done = 0;
        while let Some(at) = free.pop() {
            done += 1;
            for later in &self.behind[at] {
                waits_for[later.at()] -= 1;
                if waits_for[later.at()] == 0 {
                    free.push(later.at());
                }
            }
        }
        if done == branches.len() {
            return Ok(());
        }
        Err(Rejection::AfterCycle {
            names: self.name_cycle(branches, &waits_for),
        })
    }

    /// Walks backwards among the branches that wait for ever until one comes twice.
    fn name_cycle(
        &self,
        branches: &[Arc<BranchDefinition>],
        waits_for: &[usize],
    ) -> Vec<crate::id::BranchId> {
        let mut path: Vec<usize> = waits_for
            .iter()
            .position(|left| *left > 0)
            .into_iter()
            .collect();
        while let Some(next) = path.last().and_then(|at| {
            self.before[*at]
                .iter()
                .map(|earlier| earlier.at())
                .find(|earlier| waits_for[*earlier] > 0)
        }) {
            if let Some(begin) = path.iter().position(|at| *at == next) {
                path.drain(..begin);
                break;
            }
            path.push(next);
        }
        path.reverse();
        path.into_iter()
            .map(|at| branches[at].branch_id.clone())
            .collect()
    }
}

pub(crate) fn index(at: usize) -> BranchIndex {
    BranchIndex(u32::try_from(at).expect("invariant: branches are bounded far below 2^32"))
}

fn sorted_by_name(branches: &[Arc<BranchDefinition>]) -> Result<Vec<BranchIndex>, Rejection> {
    let mut by_name: Vec<BranchIndex> = (0..branches.len()).map(index).collect();
    by_name.sort_unstable_by(|a, b| branches[a.at()].branch_id.cmp(&branches[b.at()].branch_id));
    let twice = by_name
        .windows(2)
        .find(|pair| branches[pair[0].at()].branch_id == branches[pair[1].at()].branch_id);
    match twice {
        Some(pair) => Err(Rejection::BranchTwice {
            branch_id: branches[pair[0].at()].branch_id.clone(),
        }),
        None => Ok(by_name),
    }
}

fn resolve(
    branches: &[Arc<BranchDefinition>],
    by_name: &[BranchIndex],
    branch: &BranchDefinition,
) -> Result<Vec<BranchIndex>, Rejection> {
    let find = |name| by_name.binary_search_by(|at| branches[at.at()].branch_id.cmp(name));
    branch
        .after
        .iter()
        .map(|name| match find(name) {
            Ok(found) => Ok(by_name[found]),
            Err(_) => Err(Rejection::AfterUnknown {
                branch_id: branch.branch_id.clone(),
                unknown: name.clone(),
            }),
        })
        .collect()
}
