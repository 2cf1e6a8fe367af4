//! Core values as stored messages, field by field. The tags are those of `record.proto`, in their order; what is written is
//! what the generated messages would write, and they read it.

use std::time::Duration;

use seata_core::{
    AbortCause, Answered, BranchDefinition, CompletionEnd, ContentType, Definition, End, Endpoints,
    Event, Fact, Fingerprint, Header, Mode, Operation, Options, Order, Outcome, Payload,
    UnixMillis,
};

use crate::generated as proto;
use crate::record::wire::Writer;

pub(super) fn event(w: &mut Writer, event: &Event) {
    w.number(1, event.number);
    w.number(2, signed(event.at));
    fact(w, &event.fact);
}

fn fact(w: &mut Writer, fact: &Fact) {
    match fact {
        Fact::Created(definition) => w.message(3, |w| created(w, definition)),
        Fact::BranchAdded(added) => w.message(4, |w| branch(w, added)),
        Fact::Submitted => w.message(5, |_| {}),
        Fact::AbortRequested { reason } => w.message(6, |w| text(w, 1, reason.as_str())),
        Fact::Answered(told) => w.message(7, |w| answered(w, told)),
        Fact::Recovered { token } => w.message(8, |w| w.number(1, token.0)),
        Fact::TurnedRound { cause, compensate } => w.message(9, |w| {
            self::cause(w, cause);
            w.numbers(6, compensate.iter().map(|branch| branch.0));
        }),
        Fact::Committed => w.message(10, |_| {}),
        Fact::Aborted => w.message(11, |_| {}),
        Fact::Stuck { reason } => w.message(12, |w| text(w, 1, reason.as_str())),
        Fact::Retried { branch, reason } => w.message(13, |w| {
            w.optional(1, branch.map(|branch| branch.0));
            text(w, 2, reason.as_str());
        }),
        Fact::Skipped {
            branch,
            operation,
            reason,
        } => w.message(14, |w| {
            w.number(1, branch.0);
            w.number(2, self::operation(*operation));
            text(w, 3, reason.as_str());
        }),
        Fact::Forced { to, reason } => w.message(15, |w| {
            w.number(1, end(*to));
            text(w, 2, reason.as_str());
        }),
        Fact::Elided {
            branch,
            operation,
            calls,
            attempts,
        } => w.message(16, |w| {
            w.number(1, branch.0);
            w.number(2, self::operation(*operation));
            w.number(3, *calls);
            w.number(4, *attempts);
        }),
        Fact::TryRequested { branch } => w.message(17, |w| w.number(1, branch.0)),
        Fact::TryBegun {
            branch,
            number,
            until,
        } => w.message(18, |w| {
            w.number(1, branch.0);
            w.number(2, *number);
            w.number(3, signed(*until));
        }),
        Fact::Completed {
            branch,
            operation,
            end,
        } => w.message(19, |w| {
            w.number(1, branch.0);
            w.number(2, self::operation(*operation));
            match end {
                CompletionEnd::Succeeded => w.message(3, |_| {}),
                CompletionEnd::Failed { reason } => w.message(4, |w| text(w, 1, reason.as_str())),
            }
        }),
        Fact::Hurried { branch } => w.message(20, |w| w.number(1, branch.0)),
    }
}

fn created(w: &mut Writer, definition: &Definition) {
    let mode = match definition.mode {
        Mode::Saga => proto::Mode::Saga,
        Mode::Tcc => proto::Mode::Tcc,
    };
    w.number(1, code(mode));
    for added in &definition.branches {
        w.message(2, |w| branch(w, added));
    }
    w.message(3, |w| options(w, &definition.options));
    payload(w, 4, definition.payload.as_ref());
    fingerprint(w, 5, definition.fingerprint);
}

fn branch(w: &mut Writer, branch: &BranchDefinition) {
    let endpoint = |w: &mut Writer, tag, operation| {
        if let Some(endpoint) = branch.endpoint(operation) {
            text(w, tag, endpoint.as_str());
        }
    };
    text(w, 1, branch.branch_id.as_str());
    endpoint(w, 2, Operation::Action);
    endpoint(w, 3, Operation::Compensation);
    payload(w, 4, branch.payload.as_ref());
    for earlier in &branch.after {
        w.given_bytes(5, earlier.as_str().as_bytes());
    }
    headers(w, 6, &branch.headers);
    let given = &branch.options;
    if *given != seata_core::BranchOptions::default() {
        w.message(7, |w| {
            w.optional(1, given.request_timeout.map(millis));
            w.optional(2, given.retry_interval.map(millis));
            w.optional(3, given.retry_interval_max.map(millis));
            w.optional(4, given.max_attempts);
        });
    }
    fingerprint(w, 8, branch.fingerprint);
    match &branch.endpoints {
        Endpoints::Saga { .. } => {}
        Endpoints::Tcc { .. } => w.message(9, |w| {
            endpoint(w, 1, Operation::Try);
            endpoint(w, 2, Operation::Confirm);
            endpoint(w, 3, Operation::Cancel);
        }),
    }
}

fn options(w: &mut Writer, options: &Options) {
    w.number(1, millis(options.request_timeout));
    w.number(2, millis(options.retry.first));
    w.number(3, millis(options.retry.max));
    w.number(4, options.retry.max_attempts);
    w.optional(5, options.timeout_to_fail.map(millis));
    w.number(6, millis(options.prepared_timeout));
    w.number(7, options.branch_parallelism);
    let order = match options.order {
        Order::Concurrent => proto::Order::Concurrent,
        Order::Sequential => proto::Order::Sequential,
    };
    w.number(8, code(order));
    w.number(9, options.attention_attempts);
    headers(w, 10, &options.headers);
}

fn headers(w: &mut Writer, tag: u32, headers: &[Header]) {
    for header in headers {
        w.message(tag, |w| {
            text(w, 1, &header.name);
            text(w, 2, &header.value);
        });
    }
}

fn payload(w: &mut Writer, tag: u32, payload: Option<&Payload>) {
    let Some(payload) = payload else { return };
    w.message(tag, |w| {
        match &payload.content_type {
            ContentType::Json => {}
            ContentType::Other(kind) => text(w, 1, kind),
        }
        w.bytes(2, &payload.bytes);
    });
}

fn fingerprint(w: &mut Writer, tag: u32, fingerprint: Fingerprint) {
    if fingerprint != Fingerprint::default() {
        w.given_bytes(tag, &fingerprint.0);
    }
}

fn answered(w: &mut Writer, answered: &Answered) {
    w.number(1, answered.branch.0);
    w.number(2, operation(answered.operation));
    w.number(3, answered.attempt.token.0);
    w.number(4, answered.attempt.number);
    match &answered.outcome {
        Outcome::Success => w.message(5, |_| {}),
        Outcome::Failure { reason } => w.message(6, |w| text(w, 1, reason.as_str())),
        Outcome::Ongoing => w.message(7, |_| {}),
        Outcome::Unknown { reason } => w.message(8, |w| text(w, 1, reason.as_str())),
    }
    w.number(9, millis(answered.took));
    w.optional(10, answered.next_attempt_at.map(signed));
}

fn cause(w: &mut Writer, cause: &AbortCause) {
    match cause {
        AbortCause::Refused { branch } => w.given(1, branch.0.into()),
        AbortCause::AttemptLimit { branch } => w.given(2, branch.0.into()),
        AbortCause::Deadline => w.message(3, |_| {}),
        AbortCause::Requested { reason } => w.given_bytes(4, reason.as_str().as_bytes()),
        AbortCause::NeverSubmitted => w.message(5, |_| {}),
    }
}

fn text(w: &mut Writer, tag: u32, text: &str) {
    w.bytes(tag, text.as_bytes());
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

const fn signed(at: UnixMillis) -> u64 {
    at.0.cast_unsigned()
}

/// Answers the code of an enum's value. Protobuf knows negative ones, our messages none.
fn code(value: impl Into<i32>) -> u64 {
    u64::from(value.into().unsigned_abs())
}

fn operation(operation: Operation) -> u64 {
    code(match operation {
        Operation::Action => proto::Operation::Action,
        Operation::Compensation => proto::Operation::Compensation,
        Operation::Try => proto::Operation::Try,
        Operation::Confirm => proto::Operation::Confirm,
        Operation::Cancel => proto::Operation::Cancel,
    })
}

fn end(end: End) -> u64 {
    code(match end {
        End::Committed => proto::End::Committed,
        End::Aborted => proto::End::Aborted,
    })
}
