//! Core values as stored messages.

use std::time::Duration;

use bytes::Bytes;
use seata_core::{
    AbortCause, Answered, BranchDefinition, CompletionEnd, ContentType, Definition, End, Endpoints,
    Event, Fact, Fingerprint, Header, Mode, Operation, Options, Order, Outcome, Payload,
};

use crate::generated as proto;
use proto::event::Fact as Stored;

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn event(event: &Event) -> proto::Event {
    proto::Event {
        number: event.number,
        at_ms: event.at.0,
        fact: Some(fact(&event.fact)),
    }
}

fn fact(fact: &Fact) -> Stored {
    match fact {
        Fact::Created(definition) => Stored::Created(created(definition)),
        Fact::BranchAdded(branch) => Stored::BranchAdded(self::branch(branch)),
        Fact::Submitted => Stored::Submitted(proto::Submitted {}),
        Fact::AbortRequested { reason } => Stored::AbortRequested(proto::AbortRequested {
            reason: reason.to_string(),
        }),
        Fact::Answered(answered) => Stored::Answered(self::answered(answered)),
        Fact::Recovered { token } => Stored::Recovered(proto::Recovered { token: token.0 }),
        Fact::TurnedRound { cause, compensate } => Stored::TurnedRound(proto::TurnedRound {
            cause: Some(self::cause(cause)),
            compensate: compensate.iter().map(|branch| branch.0).collect(),
        }),
        Fact::Committed => Stored::Committed(proto::Committed {}),
        Fact::Aborted => Stored::Aborted(proto::Aborted {}),
        Fact::Stuck { reason } => Stored::Stuck(proto::Stuck {
            reason: reason.to_string(),
        }),
        Fact::Retried { branch, reason } => Stored::Retried(proto::Retried {
            branch: branch.map(|branch| branch.0),
            reason: reason.to_string(),
        }),
        Fact::Skipped {
            branch,
            operation,
            reason,
        } => Stored::Skipped(proto::Skipped {
            branch: branch.0,
            operation: self::operation(*operation).into(),
            reason: reason.to_string(),
        }),
        Fact::Forced { to, reason } => Stored::Forced(proto::Forced {
            to: end(*to).into(),
            reason: reason.to_string(),
        }),
        Fact::Elided {
            branch,
            operation,
            calls,
            attempts,
        } => Stored::Elided(proto::Elided {
            branch: branch.0,
            operation: self::operation(*operation).into(),
            calls: *calls,
            attempts: *attempts,
        }),
        Fact::TryRequested { branch } => {
            Stored::TryRequested(proto::TryRequested { branch: branch.0 })
        }
        Fact::TryBegun {
            branch,
            number,
            until,
        } => Stored::TryBegun(proto::TryBegun {
            branch: branch.0,
            number: *number,
            until_ms: until.0,
        }),
        Fact::Completed {
            branch,
            operation,
            end,
        } => Stored::Completed(proto::Completed {
            branch: branch.0,
            operation: self::operation(*operation).into(),
            end: Some(completion(end)),
        }),
        Fact::Hurried { branch } => Stored::Hurried(proto::Hurried { branch: branch.0 }),
    }
}

fn created(definition: &Definition) -> proto::Created {
    proto::Created {
        mode: match definition.mode {
            Mode::Saga => proto::Mode::Saga.into(),
            Mode::Tcc => proto::Mode::Tcc.into(),
        },
        branches: definition
            .branches
            .iter()
            .map(|branch| self::branch(branch))
            .collect(),
        options: Some(options(&definition.options)),
        payload: definition.payload.as_ref().map(payload),
        fingerprint: fingerprint(definition.fingerprint),
    }
}

fn branch(branch: &BranchDefinition) -> proto::Branch {
    let options = &branch.options;
    let given = proto::BranchOptions {
        request_timeout_ms: options.request_timeout.map(millis),
        retry_first_ms: options.retry_interval.map(millis),
        retry_max_ms: options.retry_interval_max.map(millis),
        max_attempts: options.max_attempts,
    };
    let text = |operation| {
        branch
            .endpoint(operation)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let tcc = match &branch.endpoints {
        Endpoints::Saga { .. } => None,
        Endpoints::Tcc { .. } => Some(proto::TccEndpoints {
            r#try: text(Operation::Try),
            confirm: text(Operation::Confirm),
            cancel: text(Operation::Cancel),
        }),
    };
    proto::Branch {
        branch_id: branch.branch_id.to_string(),
        action: text(Operation::Action),
        compensation: text(Operation::Compensation),
        tcc,
        payload: branch.payload.as_ref().map(payload),
        after: branch.after.iter().map(ToString::to_string).collect(),
        headers: headers(&branch.headers),
        options: (given != proto::BranchOptions::default()).then_some(given),
        fingerprint: fingerprint(branch.fingerprint),
    }
}

fn options(options: &Options) -> proto::Options {
    proto::Options {
        request_timeout_ms: millis(options.request_timeout),
        retry_first_ms: millis(options.retry.first),
        retry_max_ms: millis(options.retry.max),
        max_attempts: options.retry.max_attempts,
        timeout_to_fail_ms: options.timeout_to_fail.map(millis),
        prepared_timeout_ms: millis(options.prepared_timeout),
        branch_parallelism: options.branch_parallelism,
        order: match options.order {
            Order::Concurrent => proto::Order::Concurrent.into(),
            Order::Sequential => proto::Order::Sequential.into(),
        },
        attention_attempts: options.attention_attempts,
        headers: headers(&options.headers),
    }
}

fn headers(headers: &[Header]) -> Vec<proto::Header> {
    headers
        .iter()
        .map(|h| proto::Header {
            name: h.name.to_string(),
            value: h.value.to_string(),
        })
        .collect()
}

fn payload(payload: &Payload) -> proto::Payload {
    proto::Payload {
        content_type: match &payload.content_type {
            ContentType::Json => String::new(),
            ContentType::Other(text) => text.to_string(),
        },
        data: Bytes::copy_from_slice(&payload.bytes),
    }
}

fn fingerprint(fingerprint: Fingerprint) -> Bytes {
    if fingerprint == Fingerprint::default() {
        Bytes::new()
    } else {
        Bytes::copy_from_slice(&fingerprint.0)
    }
}

fn answered(answered: &Answered) -> proto::Answered {
    use proto::answered::Outcome as Stored;
    proto::Answered {
        branch: answered.branch.0,
        operation: operation(answered.operation).into(),
        token: answered.attempt.token.0,
        attempt: answered.attempt.number,
        took_ms: millis(answered.took),
        next_attempt_at_ms: answered.next_attempt_at.map(|at| at.0),
        outcome: Some(match &answered.outcome {
            Outcome::Success => Stored::Success(proto::Success {}),
            Outcome::Failure { reason } => Stored::Failure(proto::Failure {
                reason: reason.to_string(),
            }),
            Outcome::Ongoing => Stored::Ongoing(proto::Ongoing {}),
            Outcome::Unknown { reason } => Stored::Unknown(proto::Unknown {
                reason: reason.to_string(),
            }),
        }),
    }
}

fn cause(cause: &AbortCause) -> proto::turned_round::Cause {
    use proto::turned_round::Cause as Stored;
    match cause {
        AbortCause::Refused { branch } => Stored::RefusedBranch(branch.0),
        AbortCause::AttemptLimit { branch } => Stored::AttemptLimitBranch(branch.0),
        AbortCause::Deadline => Stored::Deadline(proto::Deadline {}),
        AbortCause::Requested { reason } => Stored::RequestedReason(reason.to_string()),
        AbortCause::NeverSubmitted => Stored::NeverSubmitted(proto::NeverSubmitted {}),
    }
}

fn operation(operation: Operation) -> proto::Operation {
    match operation {
        Operation::Action => proto::Operation::Action,
        Operation::Compensation => proto::Operation::Compensation,
        Operation::Try => proto::Operation::Try,
        Operation::Confirm => proto::Operation::Confirm,
        Operation::Cancel => proto::Operation::Cancel,
    }
}

fn completion(end: &CompletionEnd) -> proto::completed::End {
    use proto::completed::End as Stored;
    match end {
        CompletionEnd::Succeeded => Stored::Success(proto::Success {}),
        CompletionEnd::Failed { reason } => Stored::Failure(proto::Failure {
            reason: reason.to_string(),
        }),
    }
}

fn end(end: End) -> proto::End {
    match end {
        End::Committed => proto::End::Committed,
        End::Aborted => proto::End::Aborted,
    }
}
