//! Branches.

use std::collections::BTreeSet;
use std::sync::Arc;

use seata_core::{BranchDefinition, BranchId, Gid};

use super::endpoints::{Joining, endpoints};
use super::options::branch_options;
use super::payload::payload;
use super::{branch_id, missing, required_gid};
use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{AddBranchRequest, BranchRequest};
use crate::rules::{BRANCHES_MAX, Rules};

/// One branch more, with the name of its transaction.
#[derive(Debug, Clone)]
pub struct AddedBranch {
    /// Of which transaction.
    pub gid: Gid,
    /// All that was asked, checked.
    pub branch: Arc<BranchDefinition>,
}

impl AddBranchRequest<'_> {
    /// Reads one branch more of a saga.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(self, rules: &Rules) -> Result<AddedBranch, Problem> {
        self.joining(Joining::Saga, rules)
    }

    /// Reads one branch more of a TCC, whose try the initiator calls itself.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve_registered(self, rules: &Rules) -> Result<AddedBranch, Problem> {
        self.joining(Joining::Registered, rules)
    }

    /// Reads one branch more of a TCC, whose try the coordinator calls.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve_tried(self, rules: &Rules) -> Result<AddedBranch, Problem> {
        self.joining(Joining::Tried, rules)
    }

    fn joining(self, joining: Joining, rules: &Rules) -> Result<AddedBranch, Problem> {
        let gid = required_gid(self.gid.as_ref())?;
        let branch = branch(Path::Body, self.branch, joining, rules)?;
        Ok(AddedBranch { gid, branch })
    }
}

/// Reads a branch.
pub(super) fn branch(
    path: Path<'_>,
    asked: BranchRequest<'_>,
    joining: Joining,
    rules: &Rules,
) -> Result<Arc<BranchDefinition>, Problem> {
    let mut content = Content::new();
    let at = path.key("branch_id");
    let id = asked.branch_id.as_ref().ok_or_else(|| missing(at))?;
    let branch_id = branch_id(at, id)?;
    content.put(Part::BranchId, branch_id.as_str().as_bytes());

    let endpoints = endpoints(path, &asked, joining, rules, &mut content)?;
    let at = path.key("after");
    if asked.after.len() > BRANCHES_MAX {
        let why = format_args!("more than {BRANCHES_MAX} names: give each once");
        return Err(Problem::field(at, why));
    }
    let mut after = asked
        .after
        .iter()
        .enumerate()
        .map(|(n, name)| super::branch_id(at.item(n), name))
        .collect::<Result<Vec<_>, _>>()?;
    for name in &after {
        content.put(Part::After, name.as_str().as_bytes());
    }
    keep_first(&mut after);

    let bytes_max = rules.limits.payload_bytes_max;
    let payload = payload(path, asked.payload, bytes_max, &mut content)?;
    let (options, headers) = branch_options(path, asked.options, asked.headers, &mut content)?;
    Ok(Arc::new(BranchDefinition {
        branch_id,
        endpoints,
        payload,
        after,
        headers,
        options,
        fingerprint: content.finish(),
    }))
}

/// Leaves out repetitions: each name is looked for whenever the transaction is read, and branches alone bound their number.
fn keep_first(names: &mut Vec<BranchId>) {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
}
