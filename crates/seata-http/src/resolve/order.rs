//! The orders of operators.

use seata_core::{BranchId, End, Operation, Reason};
use seata_engine::Order;

use super::{branch_id, missing};
use crate::parse::bodies::OrderBody;
use crate::parse::path::Path;
use crate::parse::values::Text;
use crate::problem::Problem;

/// Reads an order to try again at once.
pub(crate) fn retry(body: &OrderBody<'_>) -> Result<Order, Problem> {
    Ok(Order::Retry {
        branch: branch(body)?,
        reason: reason(body)?,
    })
}

/// Reads an order to count an operation as done.
pub(crate) fn skip(body: &OrderBody<'_>) -> Result<Order, Problem> {
    Ok(Order::Skip {
        branch: branch(body)?.ok_or_else(|| missing(Path::Body.key("branch_id")))?,
        operation: body.operation.as_ref().map(operation).transpose()?,
        reason: reason(body)?,
    })
}

/// Reads an order to end it.
pub(crate) fn force(body: &OrderBody<'_>) -> Result<Order, Problem> {
    let to = body
        .to
        .as_ref()
        .ok_or_else(|| missing(Path::Body.key("to")))?;
    Ok(Order::Force {
        to: end(to)?,
        reason: reason(body)?,
    })
}

fn branch(body: &OrderBody<'_>) -> Result<Option<BranchId>, Problem> {
    let at = Path::Body.key("branch_id");
    body.branch_id
        .as_ref()
        .map(|text| branch_id(at, text))
        .transpose()
}

/// An order without a reason is worth nothing to whoever reads the history.
fn reason(body: &OrderBody<'_>) -> Result<Reason, Problem> {
    match body.reason.as_ref().map(|text| text.0.trim()) {
        Some("") | None => Err(Problem::field(
            "reason",
            "is missing: say why, for the history",
        )),
        Some(text) => Ok(Reason::new(text)),
    }
}

fn operation(text: &Text<'_>) -> Result<Operation, Problem> {
    match &*text.0 {
        "action" => Ok(Operation::Action),
        "compensation" => Ok(Operation::Compensation),
        other => Err(Problem::field(
            "operation",
            format_args!("{other:?} is no operation: give \"action\" or \"compensation\""),
        )),
    }
}

fn end(text: &Text<'_>) -> Result<End, Problem> {
    if text.0.eq_ignore_ascii_case(End::Committed.as_str()) {
        return Ok(End::Committed);
    }
    if text.0.eq_ignore_ascii_case(End::Aborted.as_str()) {
        return Ok(End::Aborted);
    }
    Err(Problem::field(
        "to",
        format_args!("{:?} is no end: give \"committed\" or \"aborted\"", text.0),
    ))
}
