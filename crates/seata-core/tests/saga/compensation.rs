//! The way back: in which order, how long, and who is told.

use seata_core::{BranchOptions, UnixMillis};

use crate::script::*;
use crate::spec::saga;

#[test]
fn compensations_run_against_the_graph_and_independent_ones_concurrently() {
    check(
        saga("a b:a c:a d:b,c e:d"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1, call c#1"),
            (20, ok("b"), ""),
            (30, ok("c"), "call d#1"),
            (40, ok("d"), "call e#1"),
            (
                50,
                no("e"),
                "turned by refusal of e, undoes a b c d, undo d#1",
            ),
            (60, undone("d"), "undo b#1, undo c#1"),
            (70, undone("c"), ""),
            (80, undone("b"), "undo a#1"),
            (90, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn sequential_sagas_are_undone_one_by_one() {
    check(
        saga("a b c").sequential(),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes a b, undo b#1"),
            (40, undone("b"), "undo a#1"),
            (50, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn the_order_holds_across_branches_with_nothing_to_undo() {
    check(
        saga("a b-:a c:b d:c"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, ok("c"), "call d#1"),
            (40, no("d"), "turned by refusal of d, undoes a c, undo c#1"),
            (50, undo_silent("c"), "retry c"),
            (1_000, wake(), "undo c#2"),
            (1_010, undone("c"), "undo a#1"),
            (1_020, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn no_more_than_branch_parallelism_are_undone_at_once() {
    check(
        saga("a b c d:a,b,c").parallelism(2),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("a"), "call c#1"),
            (20, ok("b"), ""),
            (30, ok("c"), "call d#1"),
            (
                40,
                no("d"),
                "turned by refusal of d, undoes a b c, undo a#1, undo b#1",
            ),
            (50, undone("a"), "undo c#1"),
            (60, undone("b"), ""),
            (70, undone("c"), "aborted"),
        ],
    );
}

#[test]
fn a_silent_compensation_is_retried_for_ever_whatever_the_limit_and_flagged_for_a_person() {
    let own = BranchOptions {
        max_attempts: Some(2),
        ..BranchOptions::default()
    };
    let mut saga = check(
        saga("a b:a")
            .max_attempts(1)
            .deadline(5_000)
            .branch_options("a", own),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
        ],
    );
    for attempt in 1..200 {
        let now_ms = 1_000 * i64::from(attempt);
        assert_eq!(saga.txn.attention().is_some(), attempt > 3, "{attempt}");
        assert_eq!(play(&mut saga, undo_silent("a"), now_ms), "retry a");
        let due = saga.txn.alarm(UnixMillis(now_ms)).unwrap().0;
        assert!(due <= now_ms + 400, "capped: {due}");
        assert_eq!(
            play(&mut saga, wake(), now_ms + 500),
            format!("undo a#{}", attempt + 1)
        );
    }
    assert_eq!(
        saga.txn.attention().unwrap().as_str(),
        "branch a: 199 attempts of its compensation without success"
    );
    assert_eq!(play(&mut saga, undone("a"), 300_000), "aborted");
    assert_eq!(saga.txn.attention(), None);
}

#[test]
fn an_ongoing_compensation_is_asked_at_the_fixed_interval() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (30, undo_ongoing("a"), "ask a in 100"),
            (129, wake(), ""),
            (130, wake(), "undo a#2"),
            (140, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_crash_on_the_way_back_repeats_what_was_not_recorded() {
    check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes a b, undo b#1"),
            // Travels behind, and is lost with the driver.
            (40, undone("b"), "undo a#1"),
            (50, crash(), "recovered, undo b#1"),
            (60, undone("b"), "undo a#1"),
            (70, undone("a"), "aborted"),
        ],
    );
}
