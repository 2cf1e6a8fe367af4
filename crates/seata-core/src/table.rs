//! The branches of a transaction, by place and by name.

use std::sync::Arc;

use crate::branch::Branch;
use crate::dag;
use crate::definition::BranchDefinition;
use crate::event::BranchIndex;
use crate::id::BranchId;

/// So many branches are looked through one by one: most transactions have few.
const ONE_BY_ONE_MAX: usize = 16;

/// All branches, in the order as added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Table {
    branches: Vec<Branch>,
    /// Invariant: all of them by name if they are more than [`ONE_BY_ONE_MAX`], and else none.
    by_name: Vec<BranchIndex>,
}

impl Table {
    pub(crate) fn new(definitions: &[Arc<BranchDefinition>]) -> Self {
        let mut table = Self {
            branches: definitions
                .iter()
                .map(|definition| Branch::new(Arc::clone(definition)))
                .collect(),
            by_name: Vec::new(),
        };
        table.sort();
        table
    }

    pub(crate) fn add(&mut self, definition: Arc<BranchDefinition>) {
        let index = dag::index(self.len());
        if !self.by_name.is_empty() {
            let place = self.place(&definition.branch_id);
            self.by_name.insert(place, index);
        }
        self.branches.push(Branch::new(definition));
        if self.by_name.is_empty() {
            self.sort();
        }
    }

    fn sort(&mut self) {
        if self.len() > ONE_BY_ONE_MAX {
            let mut by_name: Vec<_> = self.iter().map(|(index, _)| index).collect();
            by_name.sort_by_key(|index| self.name(*index));
            self.by_name = by_name;
        }
    }

    fn name(&self, index: BranchIndex) -> Option<&BranchId> {
        self.get(index).map(|branch| &branch.definition.branch_id)
    }

    /// Answers where a name is or belongs among all by name.
    fn place(&self, branch_id: &BranchId) -> usize {
        self.by_name
            .partition_point(|index| self.name(*index) < Some(branch_id))
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
        let has_name = |index: &BranchIndex| self.name(*index) == Some(branch_id);
        if self.by_name.is_empty() {
            self.iter().map(|(index, _)| index).find(has_name)
        } else {
            let found = self.by_name.get(self.place(branch_id)).copied();
            found.filter(has_name)
        }
    }

    pub(crate) fn definitions(&self) -> Vec<Arc<BranchDefinition>> {
        self.branches
            .iter()
            .map(|branch| Arc::clone(&branch.definition))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{BranchOptions, Endpoints, Fingerprint};
    use crate::endpoint::Endpoint;

    fn branch(name: &str) -> Arc<BranchDefinition> {
        let action = Endpoint::parse("http://a/do").expect("an endpoint");
        Arc::new(BranchDefinition {
            branch_id: id(name),
            endpoints: Endpoints::Saga {
                action,
                compensation: None,
            },
            payload: None,
            after: Vec::new(),
            headers: Vec::new(),
            options: BranchOptions::default(),
            fingerprint: Fingerprint::default(),
        })
    }

    fn id(name: &str) -> BranchId {
        BranchId::parse(name).expect("a name")
    }

    /// Names in an order that is neither theirs nor its reverse.
    fn names(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("n{}", at * 37 % 101)).collect()
    }

    #[test]
    fn each_branch_is_found_by_its_name_however_it_came() {
        let names = names(60);
        for given in [0, 1, 15, 16, 17, 60] {
            let first: Vec<_> = names[..given].iter().map(|name| branch(name)).collect();
            let mut table = Table::new(&first);
            for count in given..=names.len() {
                for (at, name) in names.iter().enumerate() {
                    let expected = (at < count).then(|| dag::index(at));
                    assert_eq!(table.find(&id(name)), expected, "{name} of {count}");
                }
                if let Some(next) = names.get(count) {
                    table.add(branch(next));
                }
            }
            let all: Vec<_> = names.iter().map(|name| branch(name)).collect();
            assert_eq!(table, Table::new(&all));
        }
    }
}
