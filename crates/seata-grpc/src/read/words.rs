//! Words of closed sets. One that is not set counts as not given; a number that is none of ours is refused.

use seata_core::{End, Mode, Operation, Order, Status};
use seata_proto::v1;
use seata_service::Problem;

/// Reads a pattern.
pub(crate) fn mode(number: i32) -> Result<Option<Mode>, Problem> {
    match v1::Mode::try_from(number) {
        Ok(v1::Mode::Unspecified) => Ok(None),
        Ok(v1::Mode::Saga) => Ok(Some(Mode::Saga)),
        Ok(v1::Mode::Tcc) => Ok(Some(Mode::Tcc)),
        Err(_) => Err(unknown("mode", number)),
    }
}

/// Reads an operation.
pub(crate) fn operation(number: i32) -> Result<Option<Operation>, Problem> {
    match v1::Operation::try_from(number) {
        Ok(v1::Operation::Unspecified) => Ok(None),
        Ok(v1::Operation::Action) => Ok(Some(Operation::Action)),
        Ok(v1::Operation::Compensation) => Ok(Some(Operation::Compensation)),
        Ok(v1::Operation::Try) => Ok(Some(Operation::Try)),
        Ok(v1::Operation::Confirm) => Ok(Some(Operation::Confirm)),
        Ok(v1::Operation::Cancel) => Ok(Some(Operation::Cancel)),
        Err(_) => Err(unknown("operation", number)),
    }
}

/// Reads an end.
pub(crate) fn end(number: i32) -> Result<Option<End>, Problem> {
    match v1::End::try_from(number) {
        Ok(v1::End::Unspecified) => Ok(None),
        Ok(v1::End::Committed) => Ok(Some(End::Committed)),
        Ok(v1::End::Aborted) => Ok(Some(End::Aborted)),
        Err(_) => Err(unknown("to", number)),
    }
}

/// Reads an order of branches.
pub(super) fn order(number: i32) -> Result<Option<Order>, Problem> {
    match v1::Order::try_from(number) {
        Ok(v1::Order::Unspecified) => Ok(None),
        Ok(v1::Order::Concurrent) => Ok(Some(Order::Concurrent)),
        Ok(v1::Order::Sequential) => Ok(Some(Order::Sequential)),
        Err(_) => Err(unknown("options.order", number)),
    }
}

/// Reads states.
pub(crate) fn statuses(numbers: &[i32]) -> Result<Vec<Status>, Problem> {
    numbers.iter().map(|number| status(*number)).collect()
}

fn status(number: i32) -> Result<Status, Problem> {
    match v1::TransactionStatus::try_from(number) {
        Ok(v1::TransactionStatus::Prepared) => Ok(Status::Prepared),
        Ok(v1::TransactionStatus::Submitted) => Ok(Status::Submitted),
        Ok(v1::TransactionStatus::Aborting) => Ok(Status::Aborting),
        Ok(v1::TransactionStatus::Committed) => Ok(Status::Committed),
        Ok(v1::TransactionStatus::Aborted) => Ok(Status::Aborted),
        Ok(v1::TransactionStatus::Stuck) => Ok(Status::Stuck),
        Ok(v1::TransactionStatus::Unspecified) | Err(_) => Err(unknown("status", number)),
    }
}

fn unknown(field: &str, number: i32) -> Problem {
    let why =
        format_args!("{number} is not known to this server: give one of the values of its enum");
    Problem::field(field, why)
}
