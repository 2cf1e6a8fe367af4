//! `timeout_to_fail`: counted from submission, decided when it is looked at.

use seata_core::UnixMillis;

use crate::script::*;
use crate::spec::saga;

#[test]
fn the_deadline_counts_from_submission() {
    let open = check(
        saga("a").deadline(1_000),
        [
            (5_000, submit(), "submitted, call a#1"),
            (5_999, wake(), ""),
        ],
    );
    assert_eq!(open.txn.deadline(), Some(UnixMillis(6_000)));
    assert_eq!(open.txn.alarm(UnixMillis(5_999)), Some(UnixMillis(6_000)));
}

#[test]
fn at_the_deadline_the_saga_turns_once_what_is_in_flight_has_ended() {
    check(
        saga("a b c:a,b").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("a"), ""),
            (1_000, wake(), "turned by deadline, undoes a b"),
            (1_500, ok("b"), "undo a#1, undo b#1"),
            (1_510, undone("a"), ""),
            (1_520, undone("b"), "aborted"),
        ],
    );
}

#[test]
fn a_success_that_completes_the_saga_before_the_decision_commits_it() {
    check(
        saga("a").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1"),
            (1_700, ok("a"), "committed"),
        ],
    );
}

#[test]
fn no_attempt_starts_after_the_deadline() {
    check(
        saga("a b:a").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1"),
            (1_000, ok("a"), "turned by deadline, undoes a, undo a#1"),
            (1_010, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn the_deadline_holds_for_a_participant_that_is_never_done() {
    check(
        saga("a").deadline(150),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ongoing("a"), "ask a in 100"),
            (110, wake(), "call a#2"),
            (120, ongoing("a"), "ask a in 100"),
            (150, wake(), "turned by deadline, undoes a, undo a#1"),
            (160, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_deadline_of_zero_calls_nobody() {
    check(
        saga("a").deadline(0),
        [(
            0,
            submit(),
            "submitted, turned by deadline, undoes, aborted",
        )],
    );
}

#[test]
fn the_deadline_moves_no_saga_that_has_turned() {
    let open = check(
        saga("a").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "committed"),
            (2_000, wake(), ""),
        ],
    );
    assert_eq!(open.txn.deadline(), None);
    check(
        saga("a").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (
                20,
                abort(),
                "abort_requested, turned by abort, undoes a, undo a#1",
            ),
            (30, undo_silent("a"), "retry a"),
            (2_000, wake(), "undo a#2"),
        ],
    );
}
