//! Stored messages as core values. Whatever is malformed is damage; whatever is unknown is newer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use seata_core::{
    AbortCause, Answered, AttemptId, BranchDefinition, BranchId, BranchIndex, BranchOptions,
    CompletionEnd, ContentType, Definition, End, Endpoint, Endpoints, Event, Fact, FencingToken,
    Fingerprint, Header, Mode, Operation, Options, Order, Outcome, Payload, Reason, RetryPolicy,
    UnixMillis,
};

use crate::generated as proto;
use crate::record::ReadError;
use proto::event::Fact as Stored;

/// A fact or an enum that this server doesn't know.
const UNKNOWN: ReadError = ReadError::Newer { version: 0 };

pub(super) fn event(event: proto::Event) -> Result<Event, ReadError> {
    let number = event.number;
    let fact = event.fact.ok_or(UNKNOWN)?;
    let fact = self::fact(fact).map_err(|error| match error {
        ReadError::Damaged { why } => ReadError::Damaged {
            why: format!("event {number}: {why}"),
        },
        ReadError::Newer { version } => ReadError::Newer { version },
        ReadError::Unfoldable(illegal) => ReadError::Unfoldable(illegal),
    })?;
    Ok(Event {
        number,
        at: UnixMillis(event.at_ms),
        fact,
    })
}

fn fact(fact: Stored) -> Result<Fact, ReadError> {
    Ok(match fact {
        Stored::Created(created) => Fact::Created(Arc::new(definition(created)?)),
        Stored::BranchAdded(branch) => Fact::BranchAdded(Arc::new(self::branch(branch)?)),
        Stored::Submitted(_) => Fact::Submitted,
        Stored::AbortRequested(asked) => Fact::AbortRequested {
            reason: Reason::new(&asked.reason),
        },
        Stored::Answered(answered) => Fact::Answered(self::answered(answered)?),
        Stored::Recovered(recovered) => Fact::Recovered {
            token: FencingToken(recovered.token),
        },
        Stored::TurnedRound(turned) => Fact::TurnedRound {
            cause: cause(turned.cause.ok_or(UNKNOWN)?),
            compensate: turned.compensate.into_iter().map(BranchIndex).collect(),
        },
        Stored::Committed(_) => Fact::Committed,
        Stored::Aborted(_) => Fact::Aborted,
        Stored::Stuck(stuck) => Fact::Stuck {
            reason: Reason::new(&stuck.reason),
        },
        Stored::Retried(retried) => Fact::Retried {
            branch: retried.branch.map(BranchIndex),
            reason: Reason::new(&retried.reason),
        },
        Stored::Skipped(skipped) => Fact::Skipped {
            branch: BranchIndex(skipped.branch),
            operation: operation(skipped.operation)?,
            reason: Reason::new(&skipped.reason),
        },
        Stored::Forced(forced) => Fact::Forced {
            to: end(forced.to)?,
            reason: Reason::new(&forced.reason),
        },
        Stored::Elided(elided) => Fact::Elided {
            branch: BranchIndex(elided.branch),
            operation: operation(elided.operation)?,
            calls: elided.calls,
            attempts: elided.attempts,
        },
        Stored::TryRequested(asked) => Fact::TryRequested {
            branch: BranchIndex(asked.branch),
        },
        Stored::TryBegun(begun) => Fact::TryBegun {
            branch: BranchIndex(begun.branch),
            number: begun.number,
            until: UnixMillis(begun.until_ms),
        },
        Stored::Completed(completed) => Fact::Completed {
            branch: BranchIndex(completed.branch),
            operation: operation(completed.operation)?,
            end: completion(completed.end.ok_or(UNKNOWN)?),
        },
        Stored::Hurried(hurried) => Fact::Hurried {
            branch: BranchIndex(hurried.branch),
        },
    })
}

fn definition(created: proto::Created) -> Result<Definition, ReadError> {
    Ok(Definition {
        mode: match proto::Mode::try_from(created.mode) {
            Ok(proto::Mode::Saga) => Mode::Saga,
            Ok(proto::Mode::Tcc) => Mode::Tcc,
            Ok(proto::Mode::Unspecified) | Err(_) => return Err(UNKNOWN),
        },
        branches: created
            .branches
            .into_iter()
            .map(|b| branch(b).map(Arc::new))
            .collect::<Result<_, _>>()?,
        options: options(created.options.unwrap_or_default())?,
        payload: created.payload.map(payload),
        fingerprint: fingerprint(&created.fingerprint)?,
    })
}

fn branch(branch: proto::Branch) -> Result<BranchDefinition, ReadError> {
    let branch_id = |text: &str| BranchId::parse(text).map_err(ReadError::damaged);
    let given = branch.options.unwrap_or_default();
    Ok(BranchDefinition {
        branch_id: branch_id(&branch.branch_id)?,
        endpoints: match branch.tcc {
            None => Endpoints::Saga {
                action: endpoint(&branch.action)?,
                compensation: endpoint_or_none(&branch.compensation)?,
            },
            Some(tcc) => Endpoints::Tcc {
                try_: endpoint_or_none(&tcc.r#try)?,
                confirm: endpoint(&tcc.confirm)?,
                cancel: endpoint(&tcc.cancel)?,
            },
        },
        payload: branch.payload.map(payload),
        after: branch
            .after
            .iter()
            .map(|text| branch_id(text))
            .collect::<Result<_, _>>()?,
        headers: headers(branch.headers),
        options: BranchOptions {
            request_timeout: given.request_timeout_ms.map(Duration::from_millis),
            retry_interval: given.retry_first_ms.map(Duration::from_millis),
            retry_interval_max: given.retry_max_ms.map(Duration::from_millis),
            max_attempts: given.max_attempts,
        },
        fingerprint: fingerprint(&branch.fingerprint)?,
    })
}

fn endpoint(text: &str) -> Result<Endpoint, ReadError> {
    Endpoint::parse(text).map_err(ReadError::damaged)
}

fn endpoint_or_none(text: &str) -> Result<Option<Endpoint>, ReadError> {
    match text {
        "" => Ok(None),
        text => endpoint(text).map(Some),
    }
}

fn options(options: proto::Options) -> Result<Options, ReadError> {
    Ok(Options {
        request_timeout: Duration::from_millis(options.request_timeout_ms),
        retry: RetryPolicy {
            first: Duration::from_millis(options.retry_first_ms),
            max: Duration::from_millis(options.retry_max_ms),
            max_attempts: options.max_attempts,
        },
        timeout_to_fail: options.timeout_to_fail_ms.map(Duration::from_millis),
        prepared_timeout: Duration::from_millis(options.prepared_timeout_ms),
        branch_parallelism: options.branch_parallelism.max(1),
        order: match proto::Order::try_from(options.order) {
            Ok(proto::Order::Concurrent) => Order::Concurrent,
            Ok(proto::Order::Sequential) => Order::Sequential,
            Ok(proto::Order::Unspecified) | Err(_) => return Err(UNKNOWN),
        },
        attention_attempts: options.attention_attempts,
        headers: headers(options.headers),
    })
}

fn headers(headers: Vec<proto::Header>) -> Vec<Header> {
    headers
        .into_iter()
        .map(|h| Header {
            name: h.name.into(),
            value: h.value.into(),
        })
        .collect()
}

fn payload(payload: proto::Payload) -> Payload {
    Payload {
        content_type: match payload.content_type.as_str() {
            "" => ContentType::Json,
            text => ContentType::Other(Arc::from(text)),
        },
        bytes: Arc::from(payload.data.as_ref()),
    }
}

fn fingerprint(bytes: &Bytes) -> Result<Fingerprint, ReadError> {
    if bytes.is_empty() {
        return Ok(Fingerprint::default());
    }
    let bytes: [u8; 32] = bytes.as_ref().try_into().map_err(|_| {
        ReadError::damaged(format_args!(
            "a fingerprint has {} bytes instead of 32",
            bytes.len()
        ))
    })?;
    Ok(Fingerprint(bytes))
}

fn answered(answered: proto::Answered) -> Result<Answered, ReadError> {
    use proto::answered::Outcome as Stored;
    Ok(Answered {
        branch: BranchIndex(answered.branch),
        operation: operation(answered.operation)?,
        attempt: AttemptId {
            token: FencingToken(answered.token),
            number: answered.attempt,
        },
        outcome: match answered.outcome.ok_or(UNKNOWN)? {
            Stored::Success(_) => Outcome::Success,
            Stored::Failure(failure) => Outcome::Failure {
                reason: Reason::new(&failure.reason),
            },
            Stored::Ongoing(_) => Outcome::Ongoing,
            Stored::Unknown(unknown) => Outcome::Unknown {
                reason: Reason::new(&unknown.reason),
            },
        },
        took: Duration::from_millis(answered.took_ms),
        next_attempt_at: answered.next_attempt_at_ms.map(UnixMillis),
    })
}

fn cause(cause: proto::turned_round::Cause) -> AbortCause {
    use proto::turned_round::Cause as Stored;
    match cause {
        Stored::RefusedBranch(branch) => AbortCause::Refused {
            branch: BranchIndex(branch),
        },
        Stored::AttemptLimitBranch(branch) => AbortCause::AttemptLimit {
            branch: BranchIndex(branch),
        },
        Stored::Deadline(_) => AbortCause::Deadline,
        Stored::RequestedReason(reason) => AbortCause::Requested {
            reason: Reason::new(&reason),
        },
        Stored::NeverSubmitted(_) => AbortCause::NeverSubmitted,
    }
}

fn operation(operation: i32) -> Result<Operation, ReadError> {
    match proto::Operation::try_from(operation) {
        Ok(proto::Operation::Action) => Ok(Operation::Action),
        Ok(proto::Operation::Compensation) => Ok(Operation::Compensation),
        Ok(proto::Operation::Try) => Ok(Operation::Try),
        Ok(proto::Operation::Confirm) => Ok(Operation::Confirm),
        Ok(proto::Operation::Cancel) => Ok(Operation::Cancel),
        Ok(proto::Operation::Unspecified) | Err(_) => Err(UNKNOWN),
    }
}

fn completion(end: proto::completed::End) -> CompletionEnd {
    use proto::completed::End as Stored;
    match end {
        Stored::Success(_) => CompletionEnd::Succeeded,
        Stored::Failure(failure) => CompletionEnd::Failed {
            reason: Reason::new(&failure.reason),
        },
    }
}

fn end(end: i32) -> Result<End, ReadError> {
    match proto::End::try_from(end) {
        Ok(proto::End::Committed) => Ok(End::Committed),
        Ok(proto::End::Aborted) => Ok(End::Aborted),
        Ok(proto::End::Unspecified) | Err(_) => Err(UNKNOWN),
    }
}
