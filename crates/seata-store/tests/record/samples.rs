//! One event of each kind, with every field set.

use std::sync::Arc;
use std::time::Duration;

use seata_core::{
    AbortCause, Answered, AttemptId, BranchDefinition, BranchId, BranchIndex, BranchOptions,
    CompletionEnd, ContentType, Definition, End, Endpoint, Endpoints, Event, Fact, FencingToken,
    Fingerprint, Header, Mode, Operation, Options, Order, Outcome, Payload, Reason, RetryPolicy,
    UnixMillis,
};

fn reason() -> Reason {
    Reason::new("why")
}

fn header() -> Header {
    Header {
        name: "x-a".into(),
        value: "1".into(),
    }
}

fn payload(content_type: ContentType) -> Payload {
    Payload {
        content_type,
        bytes: Arc::from(&b"{}"[..]),
    }
}

pub(crate) fn branch(id: &str) -> BranchDefinition {
    BranchDefinition {
        branch_id: BranchId::parse(id).unwrap(),
        endpoints: Endpoints::Saga {
            action: Endpoint::parse("http://a/do").unwrap(),
            compensation: None,
        },
        payload: None,
        after: Vec::new(),
        headers: Vec::new(),
        options: BranchOptions::default(),
        fingerprint: Fingerprint::default(),
    }
}

fn full_branch() -> BranchDefinition {
    BranchDefinition {
        endpoints: Endpoints::Saga {
            action: Endpoint::parse("http://a/do").unwrap(),
            compensation: Some(Endpoint::parse("https://a:8443/undo?x=1").unwrap()),
        },
        payload: Some(payload(ContentType::Other("text/plain".into()))),
        after: vec![BranchId::parse("a").unwrap()],
        headers: vec![header()],
        options: BranchOptions {
            request_timeout: Some(Duration::from_millis(1)),
            retry_interval: Some(Duration::from_millis(2)),
            retry_interval_max: Some(Duration::from_millis(3)),
            max_attempts: Some(0),
        },
        fingerprint: Fingerprint([7; 32]),
        ..branch("b")
    }
}

fn tcc_branch(id: &str, try_: Option<&str>) -> BranchDefinition {
    BranchDefinition {
        endpoints: Endpoints::Tcc {
            try_: try_.map(|text| Endpoint::parse(text).unwrap()),
            confirm: Endpoint::parse("http://b/confirm").unwrap(),
            cancel: Endpoint::parse("http://b/cancel").unwrap(),
        },
        ..branch(id)
    }
}

pub(crate) fn definition(branches: Vec<BranchDefinition>) -> Definition {
    Definition {
        mode: Mode::Saga,
        branches: branches.into_iter().map(Arc::new).collect(),
        options: Options {
            request_timeout: Duration::from_secs(3),
            retry: RetryPolicy {
                first: Duration::from_secs(1),
                max: Duration::from_secs(60),
                max_attempts: 5,
            },
            timeout_to_fail: Some(Duration::ZERO),
            prepared_timeout: Duration::from_secs(35),
            branch_parallelism: 8,
            order: Order::Sequential,
            attention_attempts: 4,
            headers: vec![header()],
        },
        payload: Some(payload(ContentType::Json)),
        fingerprint: Fingerprint([9; 32]),
    }
}

fn answered(outcome: Outcome, next_attempt_at: Option<UnixMillis>) -> Fact {
    Fact::Answered(Answered {
        branch: BranchIndex(1),
        operation: Operation::Action,
        attempt: AttemptId {
            token: FencingToken(3),
            number: 4,
        },
        outcome,
        took: Duration::from_millis(5),
        next_attempt_at,
    })
}

fn turned(cause: AbortCause) -> Fact {
    Fact::TurnedRound {
        cause,
        compensate: vec![BranchIndex(0), BranchIndex(300)],
    }
}

/// Every fact and every variant within one. The order and the contents are those of the golden files: add at the end.
pub(crate) fn events() -> Vec<Event> {
    let branch_b = BranchIndex(1);
    let facts = vec![
        Fact::Created(Arc::new(definition(vec![branch("a"), full_branch()]))),
        Fact::BranchAdded(Arc::new(full_branch())),
        Fact::Submitted,
        Fact::AbortRequested { reason: reason() },
        answered(Outcome::Success, None),
        answered(Outcome::Failure { reason: reason() }, None),
        answered(Outcome::Ongoing, Some(UnixMillis(1_700_000_000_100))),
        answered(Outcome::Unknown { reason: reason() }, Some(UnixMillis(0))),
        Fact::Recovered {
            token: FencingToken(u64::MAX),
        },
        turned(AbortCause::Refused { branch: branch_b }),
        turned(AbortCause::AttemptLimit { branch: branch_b }),
        turned(AbortCause::Deadline),
        turned(AbortCause::Requested { reason: reason() }),
        turned(AbortCause::NeverSubmitted),
        Fact::Committed,
        Fact::Aborted,
        Fact::Stuck { reason: reason() },
        Fact::Retried {
            branch: None,
            reason: reason(),
        },
        Fact::Retried {
            branch: Some(BranchIndex(0)),
            reason: reason(),
        },
        Fact::Skipped {
            branch: branch_b,
            operation: Operation::Compensation,
            reason: reason(),
        },
        Fact::Forced {
            to: End::Committed,
            reason: reason(),
        },
        Fact::Forced {
            to: End::Aborted,
            reason: reason(),
        },
        Fact::Elided {
            branch: branch_b,
            operation: Operation::Action,
            calls: 150,
            attempts: 100,
        },
        Fact::Created(Arc::new(Definition {
            mode: Mode::Tcc,
            ..definition(vec![tcc_branch("a", None)])
        })),
        Fact::BranchAdded(Arc::new(tcc_branch("b", Some("http://b/try")))),
        Fact::TryRequested { branch: branch_b },
        Fact::TryBegun {
            branch: branch_b,
            number: 2,
            until: UnixMillis(1_700_000_003_000),
        },
        Fact::Completed {
            branch: branch_b,
            operation: Operation::Try,
            end: CompletionEnd::Succeeded,
        },
        Fact::Completed {
            branch: branch_b,
            operation: Operation::Confirm,
            end: CompletionEnd::Failed { reason: reason() },
        },
        Fact::Hurried { branch: branch_b },
        Fact::Skipped {
            branch: branch_b,
            operation: Operation::Cancel,
            reason: reason(),
        },
    ];
    (1..)
        .zip(facts)
        .map(|(number, fact)| Event {
            number,
            at: UnixMillis(1_700_000_000_000),
            fact,
        })
        .collect()
}
