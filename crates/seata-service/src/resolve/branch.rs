//! Branches.

use std::collections::BTreeSet;
use std::sync::Arc;

use seata_core::{BranchDefinition, BranchId, Endpoint, EndpointError, Endpoints, Gid, Scheme};

use super::options::branch_options;
use super::payload::payload;
use super::{branch_id, missing, required_gid};
use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{AddBranchRequest, BranchRequest};
use crate::rules::{LocalEndpoints, Rules};

/// One branch more, with the name of its transaction.
#[derive(Debug, Clone)]
pub struct AddedBranch {
    /// Of which transaction.
    pub gid: Gid,
    /// All that was asked, checked.
    pub branch: Arc<BranchDefinition>,
}

impl AddBranchRequest<'_> {
    /// Reads one branch more.
    ///
    /// # Errors
    /// A field is missing or wrong.
    pub fn resolve(self, rules: &Rules) -> Result<AddedBranch, Problem> {
        let gid = required_gid(self.gid.as_ref())?;
        let branch = branch(Path::Body, self.branch, rules)?;
        Ok(AddedBranch { gid, branch })
    }
}

/// Reads a branch.
pub(super) fn branch(
    path: Path<'_>,
    asked: BranchRequest<'_>,
    rules: &Rules,
) -> Result<Arc<BranchDefinition>, Problem> {
    let mut content = Content::new();
    let at = path.key("branch_id");
    let id = asked.branch_id.as_ref().ok_or_else(|| missing(at))?;
    let branch_id = branch_id(at, id)?;
    content.put(Part::BranchId, branch_id.as_str().as_bytes());

    let at = path.key("action");
    let action = asked.action.as_ref().ok_or_else(|| missing(at))?;
    let action = endpoint(at, action, rules)?;
    content.put(Part::Action, action.as_str().as_bytes());

    let compensation = asked
        .compensation
        .as_deref()
        .map(|text| endpoint(path.key("compensation"), text, rules))
        .transpose()?;
    if let Some(compensation) = &compensation {
        content.put(Part::Compensation, compensation.as_str().as_bytes());
    }

    let at = path.key("after");
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
        endpoints: Endpoints::Saga {
            action,
            compensation,
        },
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

fn endpoint(path: Path<'_>, text: &str, rules: &Rules) -> Result<Endpoint, Problem> {
    let endpoint = Endpoint::parse(text).map_err(|error| no_endpoint(path, &error, rules.local))?;
    match (endpoint.scheme(), rules.local) {
        (Scheme::Local, LocalEndpoints::Refused) => Err(Problem::field(
            path,
            "local:// exists only in a program that embeds the coordinator: give an http://, https://, grpc:// or grpcs:// URL",
        )),
        (Scheme::Local, LocalEndpoints::Allowed)
        | (Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs, _) => Ok(endpoint),
    }
}

/// Offers `local://` only where there may be handlers.
fn no_endpoint(path: Path<'_>, error: &EndpointError, local: LocalEndpoints) -> Problem {
    match (error, local) {
        (EndpointError::Scheme(_), LocalEndpoints::Allowed) => {
            let more = "or with local:// for a handler of this program";
            Problem::field(path, format_args!("{error}, {more}"))
        }
        (EndpointError::Scheme(_), LocalEndpoints::Refused)
        | (
            EndpointError::Empty
            | EndpointError::Capitals { .. }
            | EndpointError::Host(_)
            | EndpointError::HostName(_)
            | EndpointError::Port(_)
            | EndpointError::Method(_)
            | EndpointError::Character { .. }
            | EndpointError::Credentials
            | EndpointError::Fragment(_)
            | EndpointError::TooLong(_),
            _,
        ) => Problem::field(path, error),
    }
}
