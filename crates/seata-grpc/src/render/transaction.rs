//! Transactions.

use bytes::Bytes;
use seata_core::{BranchView, Operation, OperationView, Payload, Reason};
use seata_proto::v1;
use seata_service::TransactionView;
use seata_store::Header;

use super::{timestamp, words};

/// Renders a transaction.
pub(crate) fn transaction(view: &TransactionView<'_>) -> v1::Transaction {
    v1::Transaction {
        gid: view.gid.to_string(),
        mode: words::mode(view.mode),
        status: words::status(view.status),
        payload: view.payload.map(payload),
        branches: view.branches.iter().map(branch).collect(),
        created_at: Some(timestamp(view.created_at)),
        updated_at: Some(timestamp(view.updated_at)),
        reason: view.reason.clone(),
        deadline: view.deadline.map(timestamp),
        attention: view.attention.as_ref().map(Reason::to_string),
        forced: view.forced.map(Reason::to_string),
        waiting_for: view.waiting_for.clone(),
    }
}

/// Renders what a list tells of a transaction.
pub(crate) fn header(header: &Header) -> v1::TransactionHeader {
    v1::TransactionHeader {
        gid: header.gid.to_string(),
        mode: words::mode(header.mode),
        status: words::status(header.status),
        created_at: Some(timestamp(header.created_at)),
        updated_at: Some(timestamp(header.updated_at)),
    }
}

fn payload(payload: &Payload) -> v1::Payload {
    v1::Payload {
        data: Bytes::copy_from_slice(&payload.bytes),
        content_type: payload.content_type.as_str().to_owned(),
    }
}

fn branch(view: &BranchView) -> v1::Branch {
    let definition = &view.definition;
    let endpoint = |operation| {
        let endpoint = definition.endpoint(operation);
        endpoint.map(|endpoint| endpoint.as_str().to_owned())
    };
    v1::Branch {
        branch_id: definition.branch_id.to_string(),
        status: words::branch_status(view.status),
        action: endpoint(Operation::Action).or_else(|| endpoint(Operation::Try)),
        compensation: endpoint(Operation::Compensation),
        confirm: endpoint(Operation::Confirm),
        cancel: endpoint(Operation::Cancel),
        after: definition.after.iter().map(ToString::to_string).collect(),
        operations: view.operations.iter().map(operation).collect(),
    }
}

fn operation(view: &OperationView) -> v1::BranchOperation {
    let reason = view.last.as_ref().and_then(|last| last.reason());
    v1::BranchOperation {
        operation: words::operation(view.operation),
        status: words::operation_status(view.status),
        calls: view.calls,
        attempts: view.attempts,
        last_error: reason.map(Reason::to_string),
        next_attempt_at: view.next_attempt_at.map(timestamp),
    }
}
