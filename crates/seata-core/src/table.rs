//! The branches of a transaction, by place and by name.

use std::sync::Arc;

use crate::branch::Branch;
use crate::dag;
use crate::definition::BranchDefinition;
use crate::event::BranchIndex;
use crate::id::BranchId;

/// All branches, in the order as added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Table {
    branches: Vec<Branch>,
}

impl Table {
    pub(crate) fn new(definitions: &[Arc<BranchDefinition>]) -> Self {
        Self {
            branches: definitions
                .iter()
                .map(|definition| Branch::new(Arc::clone(definition)))
                .collect(),
        }
    }

    pub(crate) fn add(&mut self, definition: Arc<BranchDefinition>) {
        self.branches.push(Branch::new(definition));
    }

    pub(crate) fn len(&self) -> usize {
        self.branches.len()
    }

    pub(crate) fn get(&self, index: BranchIndex) -> Option<&Branch> {
        self.branches.get(index.at())
    }

    pub(crate) fn get_mut(&mut self, index: BranchIndex) -> Option<&mut Branch> {
        self.branches.get_mut(index.at())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (BranchIndex, &Branch)> {
        self.branches
            .iter()
            .enumerate()
            .map(|(at, branch)| (dag::index(at), branch))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (BranchIndex, &mut Branch)> {
        self.branches
            .iter_mut()
            .enumerate()
            .map(|(at, branch)| (dag::index(at), branch))
    }

    pub(crate) fn find(&self, branch_id: &BranchId) -> Option<BranchIndex> {
        self.iter()
            .find(|(_, branch)| branch.definition.branch_id == *branch_id)
            .map(|(index, _)| index)
    }

    pub(crate) fn definitions(&self) -> Vec<Arc<BranchDefinition>> {
        self.branches
            .iter()
            .map(|branch| Arc::clone(&branch.definition))
            .collect()
    }
}
