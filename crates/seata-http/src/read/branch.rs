//! Branches.

use seata_service::request::{
    AddBranchRequest, BranchOptionsRequest, BranchRequest, CallOptionsRequest,
};
use seata_service::{Path, Problem};

use super::payload::{Given, payload};
use super::{count, pairs, secs, text};
use crate::parse::bodies::{BranchBody, BranchOptionsBody};

/// Reads the body of `/api/branch/add`, `/register` and `/try`.
pub(crate) fn added_branch(mut body: BranchBody<'_>) -> Result<AddBranchRequest<'_>, Problem> {
    Ok(AddBranchRequest {
        gid: text(body.gid.take()),
        branch: branch(Path::Body, body)?,
    })
}

/// Reads a branch in the list of a transaction.
pub(super) fn listed_branch<'a>(
    path: Path<'_>,
    body: BranchBody<'a>,
) -> Result<BranchRequest<'a>, Problem> {
    if body.gid.is_some() {
        let why = "unknown field: the gid belongs to the transaction, not to a branch of it";
        return Err(Problem::field(path.key("gid"), why));
    }
    branch(path, body)
}

fn branch<'a>(path: Path<'_>, body: BranchBody<'a>) -> Result<BranchRequest<'a>, Problem> {
    let given = Given {
        json: body.payload,
        base64: body.payload_base64,
        content_type: body.content_type,
    };
    let after = body.after.map_or_else(Vec::new, |list| list.0);
    Ok(BranchRequest {
        branch_id: text(body.branch_id),
        action: text(body.action),
        compensation: text(body.compensation),
        confirm: text(body.confirm),
        cancel: text(body.cancel),
        payload: payload(path, given)?,
        after: after.into_iter().map(|name| name.0).collect(),
        headers: body.headers.map(pairs),
        options: body.options.map(options).unwrap_or_default(),
    })
}

fn options(body: BranchOptionsBody<'_>) -> BranchOptionsRequest<'_> {
    BranchOptionsRequest {
        calls: CallOptionsRequest {
            request_timeout: secs(body.request_timeout),
            retry_interval: secs(body.retry_interval),
            retry_interval_max: secs(body.retry_interval_max),
            max_attempts: count(body.max_attempts),
        },
        headers: body.headers.map(pairs),
    }
}
