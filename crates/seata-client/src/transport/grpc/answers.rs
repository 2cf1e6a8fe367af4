//! Reads the messages of gRPC, and what a status means.

use std::error::Error as _;
use std::iter::successors;

use prost_types::Timestamp;
use seata_proto::v1;
use serde_json::{Map, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::error::{Error, ErrorCode, Refusal};
use crate::gid::Gid;
use crate::requests::{Settled, SettledWord, Tried};
use crate::view::{BranchView, Event, Header, OperationView, Page, Transaction};
use crate::words::{BranchStatus, EventKind, OperationStatus};

/// Reads a status: a refusal of the coordinator says so in its details; anything else was said by the way.
pub(super) fn error(status: Status) -> Error {
    if let Some(info) = status.get_details_error_info() {
        let later = status.get_details_retry_info();
        let facts = info.metadata.into_iter();
        let details: Map<_, _> = facts
            .map(|(name, fact)| (name, Value::from(fact)))
            .collect();
        return Error::Refused(Box::new(Refusal {
            code: ErrorCode::from(info.reason.as_str()),
            message: status.message().to_owned(),
            details: Value::Object(details),
            retry_after: later.and_then(|info| info.retry_delay),
        }));
    }
    let what = format!("{}: {}", status.code(), status.message());
    if never_connected(&status) {
        return Error::Unreachable(what);
    }
    match status.code() {
        Code::Unimplemented | Code::DataLoss | Code::OutOfRange => Error::Unreadable(what),
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::ResourceExhausted => Error::Unreadable(what),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable => Error::NoAnswer(what),
    }
}

fn never_connected(status: &Status) -> bool {
    successors(status.source(), |cause| (*cause).source())
        .any(|cause| cause.downcast_ref::<tonic::ConnectError>().is_some())
}

pub(super) fn settled(
    progress: i32,
    status: i32,
    transaction: Option<v1::Transaction>,
) -> Result<Settled, Error> {
    let word = match v1::Progress::try_from(progress) {
        Ok(v1::Progress::Accepted) => SettledWord::Accepted,
        Ok(v1::Progress::Pending) => SettledWord::Pending,
        Ok(v1::Progress::Committed) => SettledWord::Committed,
        Ok(v1::Progress::Aborted) => SettledWord::Aborted,
        Ok(v1::Progress::Stuck) => SettledWord::Stuck,
        Ok(v1::Progress::Unspecified) | Err(_) => {
            return Err(Error::Unreadable(format!("its progress is {progress}")));
        }
    };
    let transaction = transaction.map(transaction_of).transpose()?;
    Ok(Settled {
        word,
        status: Some(status_of(status).as_str().into()),
        transaction: transaction.map(Box::new),
    })
}

pub(super) fn tried(said: v1::BranchTryResponse) -> Result<Tried, Error> {
    match v1::TryResult::try_from(said.result) {
        Ok(v1::TryResult::Succeeded) => Ok(Tried::Succeeded),
        Ok(v1::TryResult::Pending) => Ok(Tried::NotKnown {
            reason: said.reason,
        }),
        Ok(v1::TryResult::Unspecified) | Err(_) => {
            Err(Error::Unreadable(format!("its result is {}", said.result)))
        }
    }
}

pub(super) fn shown(transaction: Option<v1::Transaction>) -> Result<Transaction, Error> {
    let missing = || Error::Unreadable("it shows no transaction".to_owned());
    transaction_of(transaction.ok_or_else(missing)?)
}

fn transaction_of(said: v1::Transaction) -> Result<Transaction, Error> {
    Ok(Transaction {
        gid: gid(&said.gid)?,
        mode: mode_of(said.mode),
        status: status_of(said.status).as_str().into(),
        payload: said.payload.map_or(Value::Null, json_of),
        branches: said.branches.into_iter().map(branch_of).collect(),
        created_unix: seconds(said.created_at),
        updated_unix: seconds(said.updated_at),
        reason: said.reason,
        deadline: said.deadline.map(|at| at.to_string()),
        attention: said.attention,
        forced: said.forced,
        waiting_for: said.waiting_for,
    })
}

fn gid(text: &str) -> Result<Gid, Error> {
    Gid::parse(text).map_err(|error| Error::Unreadable(error.to_string()))
}

fn json_of(payload: v1::Payload) -> Value {
    serde_json::from_slice(&payload.data).unwrap_or_default()
}

fn seconds(at: Option<Timestamp>) -> i64 {
    at.map_or(0, |at| at.seconds)
}

/// Answers the word of an enum's value: its name without the enum's own, or its number if this version has none.
fn word(known: Option<&'static str>, prefix: &str, number: i32) -> String {
    let name = known.and_then(|name| name.strip_prefix(prefix));
    name.map_or_else(|| number.to_string(), ToOwned::to_owned)
}

fn status_of(number: i32) -> String {
    let known = v1::TransactionStatus::try_from(number).ok();
    let name = known.map(|status| status.as_str_name());
    word(name, "TRANSACTION_STATUS_", number)
}

fn mode_of(number: i32) -> String {
    let known = v1::Mode::try_from(number).ok();
    let name = known.map(|mode| mode.as_str_name());
    word(name, "MODE_", number).to_lowercase()
}

fn operation_of(number: i32) -> Option<String> {
    let known = v1::Operation::try_from(number).ok();
    let name = known.map(|operation| operation.as_str_name());
    (number != 0).then(|| word(name, "OPERATION_", number).to_lowercase())
}

fn branch_of(said: v1::Branch) -> BranchView {
    let known = v1::BranchStatus::try_from(said.status).ok();
    let name = known.map(|status| status.as_str_name());
    let status = word(name, "BRANCH_STATUS_", said.status);
    BranchView {
        branch_id: said.branch_id,
        status: BranchStatus::from(status.as_str()),
        after: said.after,
        operations: said.operations.into_iter().map(branch_operation).collect(),
    }
}

fn branch_operation(said: v1::BranchOperation) -> OperationView {
    let known = v1::OperationStatus::try_from(said.status).ok();
    let name = known.map(|status| status.as_str_name());
    let status = word(name, "OPERATION_STATUS_", said.status);
    OperationView {
        operation: operation_of(said.operation).unwrap_or_default(),
        status: OperationStatus::from(status.as_str()),
        attempts: said.attempts.into(),
        last_error: said.last_error,
        next_attempt_at: said.next_attempt_at.map(|at| at.to_string()),
    }
}

pub(super) fn event(said: v1::Event) -> Event {
    let kind = v1::EventKind::try_from(said.kind).ok();
    let kind = word(
        kind.map(|kind| kind.as_str_name()),
        "EVENT_KIND_",
        said.kind,
    );
    let outcome = v1::Outcome::try_from(said.outcome).ok();
    let outcome = word(
        outcome.map(|outcome| outcome.as_str_name()),
        "OUTCOME_",
        said.outcome,
    );
    let took = said
        .duration
        .and_then(|took| std::time::Duration::try_from(took).ok());
    Event {
        number: said.number.into(),
        time: said.time.map(|at| at.to_string()).unwrap_or_default(),
        kind: EventKind::from(kind.to_lowercase().as_str()),
        branch_id: said.branch_id,
        operation: operation_of(said.operation),
        attempt: said.attempt.map(Into::into),
        outcome: (said.outcome != 0).then(|| outcome.to_lowercase()),
        duration_ms: took.and_then(|took| took.as_millis().try_into().ok()),
        error: said.error,
        reason: said.reason,
    }
}

/// Answers the event of one transaction that a watch told, if it is one.
pub(super) fn watched(said: v1::WatchResponse) -> Option<Event> {
    match said.what? {
        v1::watch_response::What::Event(watched) => watched.event.map(event),
        v1::watch_response::What::Begun(_)
        | v1::watch_response::What::Change(_)
        | v1::watch_response::What::Dropped(_) => None,
    }
}

pub(super) fn page(said: v1::ListResponse) -> Result<Page, Error> {
    let headers = said.transactions.into_iter().map(|header| {
        Ok(Header {
            gid: gid(&header.gid)?,
            mode: mode_of(header.mode),
            status: status_of(header.status).as_str().into(),
            created_unix: seconds(header.created_at),
            updated_unix: seconds(header.updated_at),
        })
    });
    Ok(Page {
        transactions: headers.collect::<Result<_, Error>>()?,
        next_cursor: Some(said.next_cursor).filter(|cursor| !cursor.is_empty()),
    })
}
