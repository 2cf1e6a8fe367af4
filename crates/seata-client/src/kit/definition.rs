//! A transaction as the kit sees it: saga and TCC are both parts with something to do, to finish and to undo.

use crate::participant::Operation;
use crate::payload::Payload;
use crate::saga::{Branch, Saga};
use crate::tcc::{Tcc, TccBranch};

/// One operation and who does it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    pub(crate) endpoint: String,
}

/// A branch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) branch_id: String,
    pub(crate) payload: Option<Payload>,
    /// Action or try.
    pub(crate) forward: Ask,
    /// Confirm.
    pub(crate) finish: Option<Ask>,
    /// Compensation or cancel. None: nothing need be undone.
    pub(crate) undo: Option<Ask>,
}

impl Part {
    /// Answers who is asked for each operation.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (Operation, &str)> {
        [
            Some(&self.forward),
            self.finish.as_ref(),
            self.undo.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(|ask| (ask.operation, ask.endpoint.as_str()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    Saga,
    Tcc,
}

/// A transaction: its parts in an order that `after` allows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Definition {
    pub(crate) pattern: Pattern,
    pub(crate) parts: Vec<Part>,
}

impl Definition {
    pub(crate) fn saga(saga: Saga) -> Self {
        let Saga {
            payload, branches, ..
        } = saga;
        Self {
            pattern: Pattern::Saga,
            parts: ordered(branches)
                .into_iter()
                .map(|branch| saga_part(branch, payload.as_ref()))
                .collect(),
        }
    }

    pub(crate) fn tcc(tcc: Tcc) -> Self {
        let Tcc {
            payload, branches, ..
        } = tcc;
        Self {
            pattern: Pattern::Tcc,
            parts: branches
                .into_iter()
                .map(|branch| tcc_part(branch, payload.as_ref()))
                .collect(),
        }
    }
}

/// Puts each branch behind those that it names in `after`. A circle stays as it was written: the coordinator refuses it.
fn ordered(mut waiting: Vec<Branch>) -> Vec<Branch> {
    let mut done: Vec<Branch> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |branch: &Branch| {
            let waits_for = |name: &String| waiting.iter().any(|other| other.branch_id == *name);
            !branch.after.iter().any(waits_for)
        };
        let next = waiting.iter().position(is_ready).unwrap_or(0);
        done.push(waiting.remove(next));
    }
    done
}

fn saga_part(branch: Branch, payload: Option<&Payload>) -> Part {
    Part {
        branch_id: branch.branch_id,
        payload: branch.payload.or_else(|| payload.cloned()),
        forward: Ask {
            operation: Operation::Action,
            endpoint: branch.action,
        },
        finish: None,
        undo: branch.compensation.map(|endpoint| Ask {
            operation: Operation::Compensation,
            endpoint,
        }),
    }
}

fn tcc_part(branch: TccBranch, payload: Option<&Payload>) -> Part {
    let try_ = branch.try_.unwrap_or_default();
    let ask = |operation, endpoint: Option<String>| Ask {
        operation,
        endpoint: endpoint.unwrap_or_else(|| try_.clone()),
    };
    Part {
        branch_id: branch.branch_id,
        payload: branch.payload.or_else(|| payload.cloned()),
        finish: Some(ask(Operation::Confirm, branch.confirm)),
        undo: Some(ask(Operation::Cancel, branch.cancel)),
        forward: ask(Operation::Try, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gid::Gid;

    fn names(saga: Saga) -> Vec<String> {
        let parts = Definition::saga(saga).parts;
        parts.into_iter().map(|part| part.branch_id).collect()
    }

    #[test]
    fn branches_stand_behind_those_that_they_wait_for() {
        let saga = Saga::new(Gid::new())
            .branch(Branch::new("c").after(["b", "a"]))
            .branch(Branch::new("b").after(["a"]))
            .branch(Branch::new("a"))
            .branch(Branch::new("d"));
        assert_eq!(names(saga), ["a", "b", "c", "d"]);
    }

    #[test]
    fn a_circle_ends_too() {
        let saga = Saga::new(Gid::new())
            .branch(Branch::new("a").after(["b"]))
            .branch(Branch::new("b").after(["a"]));
        assert_eq!(names(saga), ["a", "b"]);
    }

    #[test]
    fn confirm_and_cancel_are_asked_where_try_is_unless_said_otherwise() {
        let tcc = Tcc::new(Gid::new()).branch(TccBranch::new("a").try_("t").cancel("c"));
        let part = Definition::tcc(tcc).parts.remove(0);
        let asked: Vec<_> = part.endpoints().collect();
        assert_eq!(
            asked,
            [
                (Operation::Try, "t"),
                (Operation::Confirm, "t"),
                (Operation::Cancel, "c")
            ]
        );
    }
}
