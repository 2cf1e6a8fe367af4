//! Branches.

use std::collections::BTreeSet;
use std::sync::Arc;

use seata_core::{BranchDefinition, BranchId, Endpoint, Gid, Scheme};

use super::options::branch_options;
use super::payload::{Given, payload};
use super::{Rules, branch_id, missing};
use crate::api::LocalEndpoints;
use crate::content::{Content, Part};
use crate::parse::bodies::BranchBody;
use crate::parse::path::Path;
use crate::parse::values::Text;
use crate::problem::Problem;

/// Reads the body of `/api/branch/add`.
pub(crate) fn added_branch(
    body: BranchBody<'_>,
    rules: Rules<'_>,
) -> Result<(Gid, Arc<BranchDefinition>), Problem> {
    let gid = super::gid(body.gid.as_ref())?;
    Ok((gid, branch(Path::Body, body, rules)?))
}

/// Reads a branch in the list of a transaction.
pub(super) fn listed_branch(
    path: Path<'_>,
    body: BranchBody<'_>,
    rules: Rules<'_>,
) -> Result<Arc<BranchDefinition>, Problem> {
    if body.gid.is_some() {
        let why = "unknown field: the gid belongs to the transaction, not to a branch of it";
        return Err(Problem::field(path.key("gid"), why));
    }
    branch(path, body, rules)
}

fn branch(
    path: Path<'_>,
    body: BranchBody<'_>,
    rules: Rules<'_>,
) -> Result<Arc<BranchDefinition>, Problem> {
    let mut content = Content::new();
    let at = path.key("branch_id");
    let id = body.branch_id.as_ref().ok_or_else(|| missing(at))?;
    let branch_id = branch_id(at, id)?;
    content.put(Part::BranchId, branch_id.as_str().as_bytes());

    let at = path.key("action");
    let action = body.action.as_ref().ok_or_else(|| missing(at))?;
    let action = endpoint(at, action, rules)?;
    content.put(Part::Action, action.as_str().as_bytes());

    let compensation = body
        .compensation
        .map(|text| endpoint(path.key("compensation"), &text, rules))
        .transpose()?;
    if let Some(compensation) = &compensation {
        content.put(Part::Compensation, compensation.as_str().as_bytes());
    }

    let at = path.key("after");
    let after = body.after.map_or_else(Vec::new, |list| list.0);
    let mut after = after
        .iter()
        .enumerate()
        .map(|(n, name)| super::branch_id(at.item(n), name))
        .collect::<Result<Vec<_>, _>>()?;
    for name in &after {
        content.put(Part::After, name.as_str().as_bytes());
    }
    keep_first(&mut after);

    let given = Given {
        json: body.payload,
        base64: body.payload_base64,
        content_type: body.content_type,
    };
    let payload = payload(path, given, rules.limits.payload_bytes_max, &mut content)?;
    let options = body.options.unwrap_or_default();
    let (options, headers) = branch_options(path, options, body.headers, &mut content)?;
    Ok(Arc::new(BranchDefinition {
        branch_id,
        action,
        compensation,
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

fn endpoint(path: Path<'_>, text: &Text<'_>, rules: Rules<'_>) -> Result<Endpoint, Problem> {
    let endpoint = Endpoint::parse(&text.0).map_err(|error| Problem::field(path, error))?;
    match (endpoint.scheme(), rules.local) {
        (Scheme::Local, LocalEndpoints::Refused) => Err(Problem::field(
            path,
            "local:// exists only in a program that embeds the coordinator: give an http://, https://, grpc:// or grpcs:// URL",
        )),
        (Scheme::Local, LocalEndpoints::Allowed)
        | (Scheme::Http | Scheme::Https | Scheme::Grpc | Scheme::Grpcs, _) => Ok(endpoint),
    }
}
