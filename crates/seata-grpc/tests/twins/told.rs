//! What came back, in a form that doesn't depend on the transport.

use std::collections::BTreeMap;

use prost_types::{Duration, Timestamp};
use seata_core::UnixMillis;
use seata_grpc::DOMAIN;
use seata_proto::v1;
use seata_service::{ErrorCode, rfc3339};
use serde_json::{Map, Value, json};
use tonic::Status;
use tonic_types::StatusExt;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// As HTTP has it in its body.
    Answer(Value),
    Refusal {
        code: String,
        text: String,
        details: BTreeMap<String, String>,
        retry_after: Option<u64>,
    },
}

impl Told {
    pub(crate) fn refusal(body: &Value, retry_after: Option<u64>) -> Self {
        let details = body["details"].as_object().unwrap().iter();
        let details = details.map(|(name, value)| (name.clone(), flat(value)));
        Self::Refusal {
            code: body["code"].as_str().unwrap().to_owned(),
            text: plain(body["error"].as_str().unwrap()),
            details: details.collect(),
            retry_after,
        }
    }

    /// Reads a status, which must have our details and the code that belongs to them.
    pub(crate) fn status(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().unwrap_or_else(|| panic!("{status:?}"));
        assert_eq!(info.domain, DOMAIN);
        let known = ErrorCode::ALL
            .into_iter()
            .find(|code| code.as_str() == info.reason);
        assert_eq!(seata_grpc::code_of(known.unwrap()), status.code());
        let facts = info.metadata.iter();
        let facts = facts.map(|(name, value)| (name.clone(), plain(value)));
        Self::Refusal {
            code: info.reason.clone(),
            text: plain(status.message()),
            details: facts.collect(),
            retry_after: details
                .retry_info()
                .and_then(|info| info.retry_delay)
                .map(|span| span.as_secs()),
        }
    }

    pub(crate) fn code(&self) -> &str {
        match self {
            Self::Answer(_) => "",
            Self::Refusal { code, .. } => code,
        }
    }
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(names) => {
            let names: Vec<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
            names.join(",")
        }
        other => other.to_string(),
    }
}

/// Leaves out what the transports name differently: units, and the message in the message.
fn plain(text: &str) -> String {
    let text = text.strip_prefix("transaction.").unwrap_or(text);
    let text = text.strip_prefix("branch.").unwrap_or(text);
    text.replace("_secs", "")
        .replace("the body is larger", "the message is larger")
}

/// Cuts a word of an enum to what HTTP calls it.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap().to_owned()
}

pub(crate) fn status(number: i32) -> String {
    let status = v1::TransactionStatus::try_from(number).unwrap();
    word(status.as_str_name(), "TRANSACTION_STATUS_")
}

fn mode(number: i32) -> String {
    let mode = v1::Mode::try_from(number).unwrap();
    word(mode.as_str_name(), "MODE_").to_lowercase()
}

fn operation(number: i32) -> String {
    let operation = v1::Operation::try_from(number).unwrap();
    word(operation.as_str_name(), "OPERATION_").to_lowercase()
}

pub(crate) fn progress(number: i32) -> String {
    let progress = v1::Progress::try_from(number).unwrap();
    word(progress.as_str_name(), "PROGRESS_").to_lowercase()
}

fn millis(at: &Timestamp) -> i64 {
    at.seconds * 1000 + i64::from(at.nanos / 1_000_000)
}

fn time(at: &Timestamp) -> Value {
    json!(rfc3339(UnixMillis(millis(at))))
}

fn span_ms(span: &Duration) -> i64 {
    span.seconds * 1000 + i64::from(span.nanos / 1_000_000)
}

/// Adds a field if there is something to say.
fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let Some(value) = value {
        object
            .as_object_mut()
            .unwrap()
            .insert(name.to_owned(), value);
    }
}

pub(crate) fn transaction(message: &v1::Transaction) -> Value {
    let payload = message.payload.as_ref();
    let payload = payload.map(|payload| serde_json::from_slice::<Value>(&payload.data).unwrap());
    let mut object = json!({
        "gid": message.gid,
        "mode": mode(message.mode),
        "status": status(message.status),
        "payload": payload,
        "branches": message.branches.iter().map(branch).collect::<Vec<_>>(),
        "created_unix": message.created_at.as_ref().unwrap().seconds,
        "updated_unix": message.updated_at.as_ref().unwrap().seconds,
    });
    let text = |text: &Option<String>| text.as_ref().map(|text| json!(text));
    put(&mut object, "reason", text(&message.reason));
    put(&mut object, "deadline", message.deadline.as_ref().map(time));
    put(&mut object, "attention", text(&message.attention));
    put(&mut object, "forced", text(&message.forced));
    put(&mut object, "waiting_for", text(&message.waiting_for));
    object
}

fn branch(message: &v1::Branch) -> Value {
    let status = v1::BranchStatus::try_from(message.status).unwrap();
    let operations: Vec<_> = message.operations.iter().map(branch_operation).collect();
    let mut object = json!({
        "branch_id": message.branch_id,
        "status": word(status.as_str_name(), "BRANCH_STATUS_"),
        "action": message.action,
        "operations": operations,
    });
    match &message.confirm {
        Some(confirm) => {
            put(&mut object, "confirm", Some(json!(confirm)));
            put(&mut object, "cancel", Some(json!(message.cancel)));
        }
        None => {
            put(
                &mut object,
                "compensation",
                Some(json!(message.compensation)),
            );
            put(&mut object, "after", Some(json!(message.after)));
        }
    }
    object
}

fn branch_operation(message: &v1::BranchOperation) -> Value {
    let status = v1::OperationStatus::try_from(message.status).unwrap();
    json!({
        "operation": operation(message.operation),
        "status": word(status.as_str_name(), "OPERATION_STATUS_"),
        "calls": message.calls,
        "attempts": message.attempts,
        "last_error": message.last_error,
        "next_attempt_at": message.next_attempt_at.as_ref().map(time),
    })
}

pub(crate) fn header(message: &v1::TransactionHeader) -> Value {
    json!({
        "gid": message.gid,
        "mode": mode(message.mode),
        "status": status(message.status),
        "created_unix": message.created_at.as_ref().unwrap().seconds,
        "updated_unix": message.updated_at.as_ref().unwrap().seconds,
    })
}

pub(crate) fn event(message: &v1::Event) -> Value {
    let kind = v1::EventKind::try_from(message.kind).unwrap();
    let kind = word(kind.as_str_name(), "EVENT_KIND_").to_lowercase();
    let mut object = json!({
        "number": message.number,
        "time": time(message.time.as_ref().unwrap()),
        "kind": kind,
    });
    let outcome = v1::Outcome::try_from(message.outcome).unwrap();
    let outcome = word(outcome.as_str_name(), "OUTCOME_").to_lowercase();
    let end = v1::End::try_from(message.to).unwrap();
    let has_branches = ["created", "turned_round"].contains(&kind.as_str());
    let fields: Map<String, Value> = [
        ("branch_id", json!(message.branch_id)),
        ("operation", said(operation(message.operation))),
        ("attempt", json!(message.attempt)),
        ("endpoint", json!(message.endpoint)),
        ("outcome", said(outcome)),
        ("duration_ms", json!(message.duration.as_ref().map(span_ms))),
        ("error", json!(message.error)),
        ("until", json!(message.until.as_ref().map(time))),
        (
            "next_attempt_at",
            json!(message.next_attempt_at.as_ref().map(time)),
        ),
        ("reason", json!(message.reason)),
        ("branches", json!(has_branches.then_some(&message.branches))),
        ("to", said(word(end.as_str_name(), "END_"))),
        ("calls", json!(message.calls)),
        ("attempts", json!(message.attempts)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_null())
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    object.as_object_mut().unwrap().extend(fields);
    object
}

fn said(word: String) -> Value {
    match word.eq_ignore_ascii_case("unspecified") {
        true => Value::Null,
        false => json!(word),
    }
}
