//! Words of closed sets.

use seata_core::{End, Mode, Operation, Order, Status};
use seata_service::{Path, Problem};

/// Reads a pattern.
pub(crate) fn mode(text: &str) -> Result<Mode, Problem> {
    Mode::parse(text).ok_or_else(|| {
        let known = Mode::ALL.map(|mode| format!("{:?}", mode.as_str()));
        Problem::field(
            "mode",
            format_args!("{text:?} is no mode: give {}", known.join(" or ")),
        )
    })
}

/// Reads states, with commas between.
pub(crate) fn statuses(text: &str) -> Result<Vec<Status>, Problem> {
    let read = |word: &str| {
        Status::parse(&word.trim().to_ascii_uppercase()).ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).join(", ");
            Problem::field(
                "status",
                format_args!("{word:?} is no status: give some of {known}"),
            )
        })
    };
    text.split(',').map(read).collect()
}

/// Reads an order of branches.
pub(super) fn order(text: &str) -> Result<Order, Problem> {
    match text {
        "concurrent" => Ok(Order::Concurrent),
        "sequential" => Ok(Order::Sequential),
        other => Err(Problem::field(
            Path::Body.key("options").key("order"),
            format_args!("{other:?} is no order: give \"concurrent\" or \"sequential\""),
        )),
    }
}

/// Reads an operation.
pub(super) fn operation(text: &str) -> Result<Operation, Problem> {
    Operation::parse(text).ok_or_else(|| {
        let known = Operation::ALL.map(|operation| format!("{:?}", operation.as_str()));
        Problem::field(
            "operation",
            format_args!("{text:?} is no operation: give one of {}", known.join(", ")),
        )
    })
}

/// Reads an end.
pub(super) fn end(text: &str) -> Result<End, Problem> {
    if text.eq_ignore_ascii_case(End::Committed.as_str()) {
        return Ok(End::Committed);
    }
    if text.eq_ignore_ascii_case(End::Aborted.as_str()) {
        return Ok(End::Aborted);
    }
    Err(Problem::field(
        "to",
        format_args!("{text:?} is no end: give \"committed\" or \"aborted\""),
    ))
}
