//! Histories are bounded, and a compacted one tells the same.

use std::time::Duration;

use seata_core::{
    ATTEMPTS_KEPT_MAX, Answered, AttemptId, BranchIndex, Event, Fact, FencingToken, Operation,
    Outcome, Reason, Transaction, UnixMillis, compact, compact_tightly,
};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{gid, saga};

/// `a` was silent so many times, one day apart each.
fn silent_for(attempts: u32) -> Driven {
    let mut saga = check(
        saga("a b"),
        [(0, submit(), "submitted, call a#1, call b#1")],
    );
    play(&mut saga, ok("b"), 1);
    for attempt in 1..=i64::from(attempts) {
        let answered = match attempt % 3 {
            0 => ongoing("a"),
            1 | 2 => silent("a"),
            _ => unreachable!(),
        };
        play(&mut saga, answered, attempt * 1_000);
        play(&mut saga, wake(), attempt * 1_000 + 900);
    }
    saga
}

/// Compares all that anyone can see, and what is decided next.
fn assert_same(one: &Transaction, other: &Transaction) {
    let now = one.updated_at();
    assert_eq!(one.status(), other.status());
    assert_eq!(one.branches(), other.branches());
    assert_eq!(one.waiting_for(), other.waiting_for());
    assert_eq!(one.attention(), other.attention());
    assert_eq!(one.abort_cause(), other.abort_cause());
    assert_eq!(one.overridden(), other.overridden());
    assert_eq!(one.alarm(now), other.alarm(now));
    assert_eq!(one.last_event(), other.last_event());
    assert_eq!(one.updated_at(), other.updated_at());
    assert_eq!(one.token_seen(), other.token_seen());
    let far = UnixMillis(now.0 + 1_000_000);
    for input in [
        seata_core::Input::Wake,
        abort_input(),
        force_input(seata_core::End::Aborted),
    ] {
        assert_eq!(one.step(input.clone(), far), other.step(input, far));
    }
}

fn fold(events: &[Event]) -> Transaction {
    Transaction::fold(&gid(), events).unwrap()
}

fn attempts(events: &[Event]) -> Vec<u32> {
    events
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::Answered(answered) if answered.branch.0 == 0 => Some(answered.attempt.number),
            Fact::Answered(_)
            | Fact::Created(_)
            | Fact::BranchAdded(_)
            | Fact::Submitted
            | Fact::AbortRequested { .. }
            | Fact::Recovered { .. }
            | Fact::TurnedRound { .. }
            | Fact::Committed
            | Fact::Aborted
            | Fact::Stuck { .. }
            | Fact::Retried { .. }
            | Fact::Skipped { .. }
            | Fact::Forced { .. }
            | Fact::TryRequested { .. }
            | Fact::TryBegun { .. }
            | Fact::Completed { .. }
            | Fact::Hurried { .. }
            | Fact::Elided { .. } => None,
        })
        .collect()
}

#[test]
fn the_first_and_the_last_attempts_stay_and_the_rest_is_a_count() {
    let saga = silent_for(200);
    let short = compact(&saga.events);
    let kept = attempts(&short);
    assert_eq!(kept.len(), ATTEMPTS_KEPT_MAX as usize);
    assert_eq!(kept[0], 1);
    assert_eq!(kept[1..], (152..=200).collect::<Vec<_>>());
    let elided: Vec<_> = short
        .iter()
        .filter(|event| event.fact.as_str() == "elided")
        .collect();
    assert!(matches!(
        elided[..],
        [Event {
            fact: Fact::Elided {
                calls: 150,
                attempts: 100,
                ..
            },
            ..
        }]
    ));
    assert_same(&fold(&short), &fold(&saga.events));
}

#[test]
fn a_short_history_stays_as_it_is() {
    let saga = silent_for(ATTEMPTS_KEPT_MAX);
    assert_eq!(compact(&saga.events), saga.events);
}

/// Each of so many branches was silent so many times.
fn all_silent(branches: u32, attempts: u32) -> Vec<Event> {
    let names: Vec<String> = (0..branches).map(|n| format!("b{n}")).collect();
    let submitted = check(saga(&names.join(" ")), []).events;
    let mut events: Vec<Event> = submitted;
    let mut record = |fact| {
        let number = u32::try_from(events.len()).unwrap() + 1;
        let at = UnixMillis(i64::from(number));
        events.push(Event { number, at, fact });
    };
    record(Fact::Submitted);
    for attempt in 1..=attempts {
        for branch in 0..branches {
            record(Fact::Answered(Answered {
                branch: BranchIndex(branch),
                operation: Operation::Action,
                attempt: AttemptId {
                    token: FencingToken(1),
                    number: attempt,
                },
                outcome: Outcome::Unknown {
                    reason: "503".into(),
                },
                took: Duration::ZERO,
                next_attempt_at: Some(UnixMillis(0)),
            }));
        }
    }
    events
}

#[test]
fn histories_of_many_branches_are_bounded_together() {
    let whole = all_silent(1_000, 12);
    let short = compact(&whole);
    assert!(fold(&whole).compaction_due());
    assert!(!fold(&short).compaction_due());
    let answers = short.iter().filter(|e| e.fact.as_str() == "answered");
    assert_eq!(answers.count(), 5_000);
    assert_eq!(attempts(&short), [1, 9, 10, 11, 12]);
    assert_same(&fold(&short), &fold(&whole));
    assert_eq!(compact(&all_silent(100, 50)), all_silent(100, 50));
}

#[test]
fn a_tight_history_keeps_the_first_and_the_last_attempt_and_tells_the_same() {
    let saga = silent_for(20);
    let tight = compact_tightly(&saga.events);
    assert_eq!(attempts(&tight), [1, 20]);
    assert_same(&fold(&tight), &fold(&saga.events));
    assert_eq!(compact_tightly(&tight), tight);
}

#[test]
fn of_long_texts_a_tight_history_keeps_the_beginning() {
    let mut whole = all_silent(3, 5);
    for event in &mut whole {
        if let Fact::Answered(answered) = &mut event.fact {
            let reason = Reason::new(&"no stock ".repeat(100));
            answered.outcome = match answered.attempt.number {
                5 => Outcome::Failure { reason },
                _ => Outcome::Unknown { reason },
            };
        }
    }
    let mut reasons = 0;
    for event in compact_tightly(&whole) {
        if let Fact::Answered(answered) = &event.fact {
            let reason = answered.outcome.reason().unwrap().as_str();
            assert_eq!(reason.len(), 64);
            assert!(reason.starts_with("no stock no stock"));
            reasons += 1;
        }
    }
    assert_eq!(reasons, 3 * 3, "the first, the last, and the refusal");
}

#[test]
fn numbers_are_never_given_again_and_keep_rising() {
    let short = compact(&silent_for(200).events);
    assert!(short.windows(2).all(|pair| pair[0].number < pair[1].number));
}

#[test]
fn compacting_again_adds_the_counts() {
    let saga = silent_for(500);
    let twice = compact(&compact(&saga.events));
    assert_eq!(twice, compact(&saga.events));
    let mut early = compact(&saga.events[..300]);
    early.extend_from_slice(&saga.events[300..]);
    let in_steps = compact(&early);
    assert_same(&fold(&in_steps), &fold(&saga.events));
    assert_eq!(in_steps.len(), twice.len());
}

#[test]
fn compaction_falls_due_in_time_and_is_not_due_again_at_once() {
    let saga = silent_for(101);
    assert!(saga.txn.compaction_due());
    assert!(!silent_for(100).txn.compaction_due());
    assert!(!fold(&compact(&saga.events)).compaction_due());
}

#[test]
fn a_compacted_history_goes_on_like_the_whole_one() {
    let mut whole = silent_for(150);
    let mut short = whole.clone();
    short.events = compact(&whole.events);
    short.txn = fold(&short.events);
    for ((branch, operation), attempt) in &whole.flights {
        short.txn.call_begun(*branch, *operation, *attempt);
    }
    for (now_ms, what) in [
        (200_000, no("a")),
        (200_010, undo_no("b")),
        (200_020, retry_all()),
        (200_030, undo_silent("b")),
        (210_000, wake()),
        (210_010, undone("b")),
    ] {
        assert_eq!(
            play(&mut short, what.clone(), now_ms),
            play(&mut whole, what, now_ms)
        );
    }
}

#[test]
fn a_run_that_refusals_and_orders_interrupt_compacts_to_the_same() {
    let mut saga = check(saga("a b:a"), [(0, submit(), "submitted, call a#1")]);
    play(&mut saga, ok("a"), 10);
    play(&mut saga, no("b"), 20);
    for round in 1..=150_i64 {
        let at = round * 10_000;
        play(&mut saga, undo_silent("a"), at);
        play(&mut saga, wake(), at + 1_000);
        if round % 40 == 0 {
            play(&mut saga, undo_no("a"), at + 2_000);
            play(&mut saga, retry_all(), at + 3_000);
        }
        let attempts: u32 = round.try_into().unwrap();
        let operations = &saga.txn.branches()[0].operations;
        assert!(
            operations
                .iter()
                .any(|o| o.operation == Operation::Compensation && o.calls >= attempts)
        );
    }
    assert_same(&fold(&compact(&saga.events)), &fold(&saga.events));
}

#[test]
fn counts_from_a_damaged_record_do_not_overflow() {
    let mut saga = silent_for(60);
    let number = saga.events.len() as u32;
    for at in 1..=2 {
        saga.events.push(Event {
            number: number + at,
            at: UnixMillis(100_000),
            fact: Fact::Elided {
                branch: seata_core::BranchIndex(0),
                operation: Operation::Action,
                calls: u32::MAX,
                attempts: u32::MAX,
            },
        });
    }
    for _ in 0..60 {
        let last = saga.events.len() - 3;
        let mut again = saga.events[last].clone();
        again.number = saga.events.len() as u32 + 1;
        saga.events.push(again);
    }
    assert!(compact(&saga.events).len() < saga.events.len());
}

/// `a` refused its compensation so many times, and each time an operator ordered another attempt.
fn refused_for(cycles: u32) -> Driven {
    let mut saga = check(
        saga("a b"),
        [(0, submit(), "submitted, call a#1, call b#1")],
    );
    play(&mut saga, ok("a"), 1);
    play(&mut saga, no("b"), 2);
    for cycle in 1..=i64::from(cycles) {
        play(&mut saga, undo_no("a"), cycle * 1_000);
        play(&mut saga, retry_all(), cycle * 1_000 + 500);
    }
    saga
}

#[test]
fn of_many_retries_the_last_ones_stay_and_the_refusals_before_are_a_count() {
    let saga = refused_for(120);
    assert!(saga.txn.compaction_due());
    let short = compact(&saga.events);
    let retries = short.iter().filter(|e| e.fact.as_str() == "retried");
    assert_eq!(retries.count(), ATTEMPTS_KEPT_MAX as usize);
    assert!(short.len() < saga.events.len() / 2, "{}", short.len());
    assert!(!fold(&short).compaction_due());
    assert_same(&fold(&short), &fold(&saga.events));
    assert_eq!(compact(&short), short);
}

#[test]
fn a_history_of_retries_does_not_grow_however_often_it_is_compacted() {
    let mut saga = refused_for(60);
    let mut lengths = Vec::new();
    for cycle in 61..=400_i64 {
        play(&mut saga, undo_no("a"), cycle * 1_000);
        play(&mut saga, retry_all(), cycle * 1_000 + 500);
        if saga.txn.compaction_due() {
            saga.compact();
            lengths.push(saga.events.len());
        }
    }
    assert!(lengths.len() > 3, "{lengths:?}");
    assert!(
        lengths.iter().all(|length| *length == lengths[0]),
        "{lengths:?}"
    );
    play(&mut saga, undone("a"), 500_000);
    assert_eq!(saga.txn.status(), seata_core::Status::Aborted);
}

#[test]
fn of_many_retries_of_what_is_silent_the_last_ones_stay() {
    let mut saga = check(saga("a"), [(0, submit(), "submitted, call a#1")]);
    for attempt in 1..=150_i64 {
        play(&mut saga, silent("a"), attempt * 1_000);
        play(&mut saga, retry_all(), attempt * 1_000 + 1);
    }
    let short = compact(&saga.events);
    let retries = short.iter().filter(|e| e.fact.as_str() == "retried");
    assert_eq!(retries.count(), ATTEMPTS_KEPT_MAX as usize);
    assert_same(&fold(&short), &fold(&saga.events));
}

#[test]
fn retries_that_nobody_can_carry_out_yet_are_bounded_too() {
    let mut saga = check(
        saga("a b").parallelism(1),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a, call b#1"),
        ],
    );
    for now_ms in 11..500 {
        play(&mut saga, retry("a"), now_ms);
        if saga.txn.compaction_due() {
            let whole = saga.txn.clone();
            saga.compact();
            assert_same(&saga.txn, &whole);
        }
    }
    assert!(saga.events.len() <= 2 * ATTEMPTS_KEPT_MAX as usize + 10);
}
