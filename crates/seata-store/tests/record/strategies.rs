//! Any values that the core can hold, at the stored precision of a millisecond.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use seata_core::{
    AbortCause, Answered, AttemptId, BranchDefinition, BranchId, BranchIndex, BranchOptions,
    CompletionEnd, ContentType, Definition, End, Endpoint, Endpoints, Event, Fact, FencingToken,
    Fingerprint, Header, Mode, Operation, Options, Order, Outcome, Payload, Reason, RetryPolicy,
    UnixMillis,
};

/// Small numbers, which fit together, and any.
fn indexes() -> impl Strategy<Value = BranchIndex> {
    prop_oneof![9 => 0..3_u32, 1 => any::<u32>()].prop_map(BranchIndex)
}

fn times() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![4 => 0..10_000_i64, 1 => any::<i64>()].prop_map(UnixMillis)
}

fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![4 => 0..10_000_u64, 1 => any::<u64>()].prop_map(Duration::from_millis)
}

fn counts() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..5_u32, 1 => any::<u32>()]
}

fn tokens() -> impl Strategy<Value = FencingToken> {
    any::<u64>().prop_map(FencingToken)
}

fn reasons() -> impl Strategy<Value = Reason> {
    ".{0,12}".prop_map(|text| Reason::new(&text))
}

fn fingerprints() -> impl Strategy<Value = Fingerprint> {
    prop_oneof![
        Just(Fingerprint::default()),
        any::<[u8; 32]>().prop_map(Fingerprint)
    ]
}

fn branch_ids() -> impl Strategy<Value = BranchId> {
    prop_oneof![3 => "[abc]", 1 => "[A-Za-z0-9._:-]{1,64}"]
        .prop_map(|text| BranchId::parse(&text).unwrap())
}

fn endpoints() -> impl Strategy<Value = Endpoint> {
    "(https?://[a-z]{1,9}(:[1-9][0-9]{0,3})?/[a-z?=&/]{0,9}|local://[a-z]{1,5})"
        .prop_map(|text| Endpoint::parse(&text).unwrap())
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    let header = ("[a-z-]{1,9}", "[ -~]{0,9}").prop_map(|(name, value)| Header {
        name: name.into(),
        value: value.into(),
    });
    prop::collection::vec(header, 0..3)
}

fn payloads() -> impl Strategy<Value = Payload> {
    let content_type = prop_oneof![
        Just(ContentType::Json),
        "[a-z]{1,5}/[a-z]{1,5}".prop_map(|text| ContentType::Other(text.into()))
    ];
    let bytes = prop::collection::vec(any::<u8>(), 0..20);
    (content_type, bytes).prop_map(|(content_type, bytes)| Payload {
        content_type,
        bytes: bytes.into(),
    })
}

fn branch_options() -> impl Strategy<Value = BranchOptions> {
    let maybe = || prop::option::of(spans());
    (maybe(), maybe(), maybe(), prop::option::of(counts())).prop_map(
        |(request_timeout, retry_interval, retry_interval_max, max_attempts)| BranchOptions {
            request_timeout,
            retry_interval,
            retry_interval_max,
            max_attempts,
        },
    )
}

fn called() -> impl Strategy<Value = Endpoints> {
    let saga = (endpoints(), prop::option::of(endpoints())).prop_map(|(action, compensation)| {
        Endpoints::Saga {
            action,
            compensation,
        }
    });
    let tcc = (prop::option::of(endpoints()), endpoints(), endpoints()).prop_map(
        |(try_, confirm, cancel)| Endpoints::Tcc {
            try_,
            confirm,
            cancel,
        },
    );
    prop_oneof![saga, tcc]
}

fn branches() -> impl Strategy<Value = Arc<BranchDefinition>> {
    let named = (branch_ids(), prop::collection::vec(branch_ids(), 0..3));
    let called = called();
    let sent = (prop::option::of(payloads()), headers());
    (named, called, sent, branch_options(), fingerprints()).prop_map(
        |((branch_id, after), endpoints, (payload, headers), options, fingerprint)| {
            Arc::new(BranchDefinition {
                branch_id,
                endpoints,
                payload,
                after,
                headers,
                options,
                fingerprint,
            })
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    let retry = (spans(), spans(), counts()).prop_map(|(first, max, max_attempts)| RetryPolicy {
        first,
        max,
        max_attempts,
    });
    let limits = (spans(), prop::option::of(spans()), spans());
    let order = prop_oneof![Just(Order::Concurrent), Just(Order::Sequential)];
    let more = (1..9_u32, order, counts(), headers());
    (retry, limits, more).prop_map(|(retry, limits, more)| Options {
        request_timeout: limits.0,
        retry,
        timeout_to_fail: limits.1,
        prepared_timeout: limits.2,
        branch_parallelism: more.0,
        order: more.1,
        attention_attempts: more.2,
        headers: more.3,
    })
}

fn definitions() -> impl Strategy<Value = Arc<Definition>> {
    let branches = prop_oneof![
        4 => prop::collection::vec(branches(), 0..4).prop_map(in_order),
        1 => prop::collection::vec(branches(), 0..4),
    ];
    let payload = prop::option::of(payloads());
    let mode = prop::sample::select(&Mode::ALL[..]);
    (mode, branches, options(), payload, fingerprints()).prop_map(
        |(mode, mut branches, options, payload, fingerprint)| {
            // Mostly all of one mode, as a server writes them.
            if branches.len() < 3 {
                branches.retain(|branch| branch.endpoints.mode() == mode);
            }
            Arc::new(Definition {
                mode,
                branches,
                options,
                payload,
                fingerprint,
            })
        },
    )
}

/// Names branches by their position, and lets them come after earlier ones only.
fn in_order(mut branches: Vec<Arc<BranchDefinition>>) -> Vec<Arc<BranchDefinition>> {
    let names = ["a", "b", "c"].map(|name| BranchId::parse(name).unwrap());
    for (at, branch) in branches.iter_mut().enumerate() {
        let branch = Arc::make_mut(branch);
        branch.branch_id = names[at].clone();
        branch.after.retain(|name| names[..at].contains(name));
    }
    branches
}

fn operations() -> impl Strategy<Value = Operation> {
    prop::sample::select(&Operation::ALL[..])
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Success),
        reasons().prop_map(|reason| Outcome::Failure { reason }),
        Just(Outcome::Ongoing),
        reasons().prop_map(|reason| Outcome::Unknown { reason }),
    ]
}

fn answers() -> impl Strategy<Value = Fact> {
    let attempt = (tokens(), any::<u32>()).prop_map(|(token, number)| AttemptId { token, number });
    let again = prop::option::of(times());
    (indexes(), operations(), attempt, outcomes(), spans(), again).prop_map(
        |(branch, operation, attempt, outcome, took, next_attempt_at)| {
            Fact::Answered(Answered {
                branch,
                operation,
                attempt,
                outcome,
                took,
                next_attempt_at,
            })
        },
    )
}

fn causes() -> impl Strategy<Value = AbortCause> {
    prop_oneof![
        indexes().prop_map(|branch| AbortCause::Refused { branch }),
        indexes().prop_map(|branch| AbortCause::AttemptLimit { branch }),
        Just(AbortCause::Deadline),
        reasons().prop_map(|reason| AbortCause::Requested { reason }),
        Just(AbortCause::NeverSubmitted),
    ]
}

fn completions() -> impl Strategy<Value = CompletionEnd> {
    prop_oneof![
        Just(CompletionEnd::Succeeded),
        reasons().prop_map(|reason| CompletionEnd::Failed { reason }),
    ]
}

fn facts() -> impl Strategy<Value = Fact> {
    let ends = prop_oneof![Just(End::Committed), Just(End::Aborted)];
    let compensate = prop::collection::vec(indexes(), 0..3);
    prop_oneof![
        1 => definitions().prop_map(Fact::Created),
        2 => branches().prop_map(Fact::BranchAdded),
        3 => Just(Fact::Submitted),
        1 => reasons().prop_map(|reason| Fact::AbortRequested { reason }),
        9 => answers(),
        1 => tokens().prop_map(|token| Fact::Recovered { token }),
        2 => (causes(), compensate)
            .prop_map(|(cause, compensate)| Fact::TurnedRound { cause, compensate }),
        1 => Just(Fact::Committed),
        1 => Just(Fact::Aborted),
        1 => reasons().prop_map(|reason| Fact::Stuck { reason }),
        1 => (prop::option::of(indexes()), reasons())
            .prop_map(|(branch, reason)| Fact::Retried { branch, reason }),
        1 => (indexes(), operations(), reasons())
            .prop_map(|(branch, operation, reason)| Fact::Skipped { branch, operation, reason }),
        1 => (ends, reasons()).prop_map(|(to, reason)| Fact::Forced { to, reason }),
        2 => indexes().prop_map(|branch| Fact::TryRequested { branch }),
        2 => (indexes(), counts(), times())
            .prop_map(|(branch, number, until)| Fact::TryBegun { branch, number, until }),
        1 => (indexes(), operations(), completions()).prop_map(
            |(branch, operation, end)| Fact::Completed { branch, operation, end }
        ),
        1 => indexes().prop_map(|branch| Fact::Hurried { branch }),
        1 => (indexes(), operations(), counts(), counts()).prop_map(
            |(branch, operation, calls, attempts)| Fact::Elided {
                branch,
                operation,
                calls,
                attempts,
            }
        ),
    ]
}

/// Answers a creation and facts that may or may not follow it, numbered as they come.
pub(crate) fn histories() -> impl Strategy<Value = Vec<Event>> {
    let first = prop_oneof![9 => 1..2_u32, 1 => any::<u32>()];
    let event = (facts(), times());
    let created = (definitions(), times(), first);
    (created, prop::collection::vec(event, 0..6)).prop_map(|((definition, at, first), facts)| {
        let created = (Fact::Created(definition), at);
        std::iter::once(created)
            .chain(facts)
            .enumerate()
            .map(|(at_index, (fact, at))| Event {
                number: first.saturating_add(u32::try_from(at_index).unwrap()),
                at,
                fact,
            })
            .collect()
    })
}
