//! Says requests in the messages of gRPC.

use std::time::Duration;

use prost_types::Timestamp;
use seata_proto::v1;

use crate::options::{BranchOptions, Options, Order};
use crate::participant::Operation;
use crate::payload::PayloadFields;
use crate::requests::{BranchRequest, ListQuery, Mode, TransactionRequest};
use crate::words::Status;

pub(super) fn transaction(request: &TransactionRequest) -> v1::TransactionDefinition {
    let mode = match request.mode {
        Mode::Saga => v1::Mode::Saga,
        Mode::Tcc => v1::Mode::Tcc,
    };
    v1::TransactionDefinition {
        mode: mode.into(),
        payload: payload(&request.payload),
        options: Some(options(&request.options)).filter(|_| !request.options.is_default()),
        branches: request.branches.iter().map(branch).collect(),
    }
}

pub(super) fn branch(request: &BranchRequest) -> v1::BranchDefinition {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let headers = request.options.headers.clone();
    v1::BranchDefinition {
        branch_id: request.branch_id.clone(),
        action: text(&request.action),
        compensation: text(&request.compensation),
        confirm: text(&request.confirm),
        cancel: text(&request.cancel),
        after: request.after.clone(),
        payload: payload(&request.payload),
        headers: headers.into_iter().collect(),
        options: Some(branch_options(&request.options)),
    }
}

fn payload(fields: &PayloadFields) -> Option<v1::Payload> {
    let given = fields.given.as_ref()?;
    Some(v1::Payload {
        data: given.to_bytes().into(),
        content_type: given.content_type().to_owned(),
    })
}

fn options(options: &Options) -> v1::Options {
    let order = match options.order {
        None => v1::Order::Unspecified,
        Some(Order::Concurrent) => v1::Order::Concurrent,
        Some(Order::Sequential) => v1::Order::Sequential,
    };
    v1::Options {
        request_timeout: options.request_timeout.map(span),
        retry_interval: options.retry_interval.map(span),
        retry_interval_max: options.retry_interval_max.map(span),
        max_attempts: options.max_attempts,
        headers: options.headers.clone().into_iter().collect(),
        timeout_to_fail: options.timeout_to_fail.map(span),
        prepared_timeout: options.prepared_timeout.map(span),
        branch_parallelism: options.branch_parallelism,
        order: order.into(),
    }
}

fn branch_options(options: &BranchOptions) -> v1::BranchOptions {
    v1::BranchOptions {
        request_timeout: options.request_timeout.map(span),
        retry_interval: options.retry_interval.map(span),
        retry_interval_max: options.retry_interval_max.map(span),
        max_attempts: options.max_attempts,
    }
}

/// Says a span; one that is longer than can be said is the longest.
pub(super) fn span(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: span.as_secs().try_into().unwrap_or(i64::MAX),
        nanos: span.subsec_nanos().try_into().unwrap_or(0),
    }
}

pub(super) fn operation(operation: Option<Operation>) -> i32 {
    let operation = match operation {
        None => v1::Operation::Unspecified,
        Some(Operation::Action) => v1::Operation::Action,
        Some(Operation::Compensation) => v1::Operation::Compensation,
        Some(Operation::Try) => v1::Operation::Try,
        Some(Operation::Confirm) => v1::Operation::Confirm,
        Some(Operation::Cancel) => v1::Operation::Cancel,
    };
    operation.into()
}

pub(super) fn end(word: &str) -> i32 {
    let name = format!("END_{}", word.to_uppercase());
    v1::End::from_str_name(&name).map_or(0, Into::into)
}

pub(super) fn list(query: &ListQuery) -> v1::ListRequest {
    let time = |seconds: i64| Timestamp { seconds, nanos: 0 };
    v1::ListRequest {
        limit: query.limit,
        cursor: query.cursor.clone().unwrap_or_default(),
        status: query.statuses.iter().map(status).collect(),
        created_after: query.created_after_unix.map(time),
        created_before: query.created_before_unix.map(time),
        gid_prefix: query.gid_prefix.clone().unwrap_or_default(),
        ..v1::ListRequest::default()
    }
}

/// Says a status. One that this version doesn't know is one that no server knows: it is refused there.
fn status(status: &Status) -> i32 {
    let name = format!("TRANSACTION_STATUS_{}", status.as_str());
    v1::TransactionStatus::from_str_name(&name).map_or(-1, Into::into)
}
