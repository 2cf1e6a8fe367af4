//! Silence and "not yet": when an action is called again, and when no more.

use std::time::Duration;

use seata_core::{BranchOptions, UnixMillis};

use crate::script::*;
use crate::spec::saga;

#[test]
fn silence_is_retried_and_never_read_as_refusal() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (1_000, wake(), "call a#2"),
            (1_010, silent("a"), "retry a"),
            (2_000, wake(), "call a#3"),
            (2_010, ok("a"), "committed"),
        ],
    );
}

#[test]
fn an_attempt_is_made_when_its_back_off_ends_and_not_before() {
    let mut saga = check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
        ],
    );
    let due = saga.txn.alarm(UnixMillis(10)).unwrap().0;
    assert!((60..=110).contains(&due), "{due}");
    assert_eq!(play(&mut saga, wake(), due - 1), "");
    assert_eq!(play(&mut saga, wake(), due), "call a#2");
}

#[test]
fn the_attempt_limit_turns_the_saga_and_leaves_the_branch_in_doubt() {
    check(
        saga("a b:a").max_attempts(2),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, silent("b"), "retry b"),
            (1_000, wake(), "call b#2"),
            (
                1_010,
                silent("b"),
                "turned by limit of b, undoes a b, undo b#1",
            ),
            (1_020, undone("b"), "undo a#1"),
            (1_030, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_branch_s_own_limit_and_interval_win() {
    let own = BranchOptions {
        max_attempts: Some(1),
        retry_interval: Some(Duration::from_millis(7)),
        ..BranchOptions::default()
    };
    check(
        saga("a b").branch_options("b", own),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, silent("a"), "retry a"),
            (20, ongoing("b"), "ask b in 7"),
            (27, wake(), "call b#2"),
            (
                30,
                silent("b"),
                "turned by limit of b, undoes a b, undo a#1, undo b#1",
            ),
        ],
    );
}

#[test]
fn ongoing_is_asked_again_at_the_fixed_interval_and_counts_as_no_attempt() {
    let open = check(
        saga("a").max_attempts(2),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ongoing("a"), "ask a in 100"),
            (109, wake(), ""),
            (110, wake(), "call a#2"),
            (120, ongoing("a"), "ask a in 100"),
            (220, wake(), "call a#3"),
            (230, ongoing("a"), "ask a in 100"),
            (330, wake(), "call a#4"),
            (340, silent("a"), "retry a"),
            (900, wake(), "call a#5"),
        ],
    );
    let action = &open.txn.branches()[0].operations[0];
    assert_eq!((action.calls, action.attempts), (4, 1));
    check_last(open);
}

fn check_last(mut open: crate::driven::Driven) {
    assert_eq!(
        play(&mut open, silent("a"), 910),
        "turned by limit of a, undoes a, undo a#1"
    );
}

#[test]
fn attempts_count_on_over_a_crash() {
    check(
        saga("a").max_attempts(2),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (20, crash(), "recovered"),
            (1_000, wake(), "call a#2"),
            (
                1_010,
                silent("a"),
                "turned by limit of a, undoes a, undo a#1",
            ),
        ],
    );
}

#[test]
fn without_a_limit_silence_is_retried_until_the_deadline() {
    let mut saga = check(
        saga("a").deadline(60_000),
        [(0, submit(), "submitted, call a#1")],
    );
    for attempt in 2..100 {
        let now_ms = i64::from(attempt) * 500;
        assert_eq!(play(&mut saga, silent("a"), now_ms), "retry a");
        assert_eq!(
            play(&mut saga, wake(), now_ms + 400),
            format!("call a#{attempt}")
        );
    }
    assert_eq!(play(&mut saga, silent("a"), 59_999), "retry a");
    assert_eq!(
        play(&mut saga, wake(), 60_000),
        "turned by deadline, undoes a, undo a#1"
    );
}
