//! The answers to creation, submission, abort and orders.

use seata_engine::Snapshot;
use seata_service::{EndWord, TransactionView};
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
pub(crate) fn ended<'a>(view: &'a TransactionView<'a>) -> Ended<'a, impl Serialize + 'a> {
    told(EndWord::of(view.status).as_str(), view)
}

/// Renders that an operator's order is durable.
pub(crate) fn ordered<'a>(view: &'a TransactionView<'a>) -> Ended<'a, impl Serialize + 'a> {
    told("success", view)
}

fn told<'a>(status: &'static str, view: &'a TransactionView<'a>) -> Ended<'a, impl Serialize + 'a> {
    Ended {
        status,
        gid: view.gid.as_str(),
        transaction: transaction(view),
    }
}
