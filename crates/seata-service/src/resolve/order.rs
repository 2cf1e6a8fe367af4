//! The orders of operators.

use seata_core::{BranchId, Reason};
use seata_engine::Order;

use super::{branch_id, missing};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::OrderRequest;

/// Reads an order to try again at once.
pub(super) fn retry(asked: &OrderRequest<'_>) -> Result<Order, Problem> {
    let (operation, to) = (asked.operation.is_some(), asked.to.is_some());
    refuse_other([("operation", operation), ("to", to)])?;
    Ok(Order::Retry {
        branch: branch(asked)?,
        reason: reason(asked)?,
    })
}

/// Reads an order to count an operation as done.
pub(super) fn skip(asked: &OrderRequest<'_>) -> Result<Order, Problem> {
    refuse_other([("to", asked.to.is_some())])?;
    Ok(Order::Skip {
        branch: branch(asked)?.ok_or_else(|| missing(Path::Body.key("branch_id")))?,
        operation: asked.operation,
        reason: reason(asked)?,
    })
}

/// Reads an order to end it.
pub(super) fn force(asked: &OrderRequest<'_>) -> Result<Order, Problem> {
    let (branch_id, operation) = (asked.branch_id.is_some(), asked.operation.is_some());
    refuse_other([("branch_id", branch_id), ("operation", operation)])?;
    Ok(Order::Force {
        to: asked.to.ok_or_else(|| missing(Path::Body.key("to")))?,
        reason: reason(asked)?,
    })
}

/// Refuses what another order has: who names a branch to `force` doesn't mean the whole transaction.
fn refuse_other<const N: usize>(given: [(&'static str, bool); N]) -> Result<(), Problem> {
    match given.into_iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(Problem::field(
            name,
            "does not belong to this order: leave it out, or give the order that it belongs to",
        )),
        None => Ok(()),
    }
}

fn branch(asked: &OrderRequest<'_>) -> Result<Option<BranchId>, Problem> {
    let at = Path::Body.key("branch_id");
    asked
        .branch_id
        .as_ref()
        .map(|text| branch_id(at, text))
        .transpose()
}

/// An order without a reason is worth nothing to whoever reads the history.
fn reason(asked: &OrderRequest<'_>) -> Result<Reason, Problem> {
    match asked.reason.as_ref().map(|text| text.trim()) {
        Some("") | None => Err(Problem::field(
            "reason",
            "is missing: say why, for the history",
        )),
        Some(text) => Ok(Reason::new(text)),
    }
}
