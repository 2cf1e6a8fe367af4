//! The answers to what concerns one branch.

use seata_core::{BranchId, Reason};
use seata_engine::Snapshot;
use serde::Serialize;

/// A branch was added or registered.
#[derive(Serialize)]
pub(crate) struct Added {
    status: &'static str,
}

impl Added {
    pub(crate) const fn success() -> Self {
        Self { status: "success" }
    }
}

/// What is known of a try.
#[derive(Serialize)]
pub(crate) struct TriedJson<'a> {
    status: &'static str,
    gid: &'a str,
    branch_id: &'a str,
    transaction_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Renders that a try succeeded.
pub(crate) fn tried<'a>(snapshot: &'a Snapshot, branch_id: &'a BranchId) -> TriedJson<'a> {
    TriedJson {
        status: "success",
        gid: snapshot.header.gid.as_str(),
        branch_id: branch_id.as_str(),
        transaction_status: snapshot.status().as_str(),
        reason: None,
    }
}

/// Renders that nobody knows yet how a try ended.
pub(crate) fn pending_try<'a>(
    snapshot: &'a Snapshot,
    branch_id: &'a BranchId,
    reason: Option<&'a Reason>,
) -> TriedJson<'a> {
    TriedJson {
        status: "pending",
        reason: reason.map(Reason::as_str),
        ..tried(snapshot, branch_id)
    }
}
