//! The answers to creation, submission, abort and orders.

use seata_core::{Status, UnixMillis};
use seata_engine::Snapshot;
use serde::Serialize;

use super::transaction::transaction;

/// The decision is durable; nobody waits for the end.
#[derive(Serialize)]
pub(crate) struct Accepted<'a> {
    status: &'static str,
    gid: &'a str,
    transaction_status: &'static str,
}

/// Renders that the decision is durable.
pub(crate) fn accepted(snapshot: &Snapshot) -> Accepted<'_> {
    Accepted {
        status: "success",
        gid: snapshot.header.gid.as_str(),
        transaction_status: snapshot.status().as_str(),
    }
}

/// How far a waiting client sees it come.
#[derive(Serialize)]
pub(crate) struct Ended<'a, T> {
    status: &'static str,
    gid: &'a str,
    transaction: T,
}

/// Renders how waiting went.
pub(crate) fn ended(snapshot: &Snapshot, now: UnixMillis) -> Ended<'_, impl Serialize + '_> {
    Ended {
        status: match snapshot.status() {
            Status::Committed => "committed",
            Status::Aborted => "aborted",
            Status::Stuck => "stuck",
            Status::Prepared | Status::Submitted | Status::Aborting => "pending",
        },
        gid: snapshot.header.gid.as_str(),
        transaction: transaction(snapshot, now),
    }
}

/// Renders that an operator's order is durable.
pub(crate) fn ordered(snapshot: &Snapshot, now: UnixMillis) -> Ended<'_, impl Serialize + '_> {
    Ended {
        status: "success",
        gid: snapshot.header.gid.as_str(),
        transaction: transaction(snapshot, now),
    }
}
