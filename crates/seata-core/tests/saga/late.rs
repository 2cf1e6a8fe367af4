//! Answers that come twice, late, or to what is settled.

use seata_core::{AttemptId, BranchIndex, BranchStatus, FencingToken, Operation, Outcome};

use crate::script::*;
use crate::spec::saga;

fn late(branch: u32, operation: Operation, number: u32, outcome: Outcome) -> Do {
    let attempt = AttemptId {
        token: FencingToken(1),
        number,
    };
    Do::Drive(answer_to(BranchIndex(branch), operation, attempt, outcome))
}

#[test]
fn an_answer_that_is_recorded_already_changes_nothing() {
    check(
        saga("a b:a").max_attempts(3),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (20, late(0, Operation::Action, 1, unknown()), ""),
            (1_000, wake(), "call a#2"),
            (1_010, ok("a"), "call b#1"),
            (1_020, late(0, Operation::Action, 2, Outcome::Success), ""),
            (1_030, late(0, Operation::Action, 1, failure()), ""),
            (1_040, ok("b"), "committed"),
        ],
    );
}

#[test]
fn an_answer_after_the_end_changes_nothing() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "committed"),
            (20, late(0, Operation::Action, 1, failure()), ""),
            (30, late(0, Operation::Compensation, 1, failure()), ""),
        ],
    );
}

#[test]
fn the_answer_to_a_skipped_action_is_recorded_and_not_applied() {
    for (outcome, undoes) in [
        (Outcome::Success, "undoes a"),
        (failure(), "undoes a"),
        (unknown(), "undoes a"),
    ] {
        let mut saga = check(
            saga("a b:a"),
            [
                (0, submit(), "submitted, call a#1"),
                (10, skip("a"), "skipped action of a, call b#1"),
            ],
        );
        let answer = Do::Answer("a", Operation::Action, outcome);
        assert_eq!(play(&mut saga, answer, 20), "");
        assert_eq!(saga.txn.branches()[0].operations[0].calls, 1);
        assert_eq!(
            play(&mut saga, no("b"), 30),
            format!("turned by refusal of b, {undoes}, undo a#1")
        );
    }
}

#[test]
fn a_compensation_waits_for_the_action_that_was_skipped_while_in_flight() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, skip("a"), "skipped action of a, call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a"),
            (30, ok("a"), "undo a#1"),
            (40, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn the_answer_to_a_skipped_compensation_is_recorded_and_not_applied() {
    check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes a b, undo b#1"),
            (40, skip_undo("b"), "skipped compensation of b, undo a#1"),
            (50, undo_no("b"), ""),
            (60, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn answers_to_what_was_never_asked_are_ignored() {
    check(
        saga("a b:a c:b"),
        [
            (0, late(0, Operation::Action, 1, Outcome::Success), ""),
            (1, submit(), "submitted, call a#1"),
            (2, late(1, Operation::Action, 1, Outcome::Success), ""),
            (3, late(0, Operation::Compensation, 1, Outcome::Success), ""),
            (4, late(9, Operation::Action, 1, Outcome::Success), ""),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            // Neither has anything to undo.
            (30, late(1, Operation::Compensation, 1, failure()), ""),
            (
                40,
                late(2, Operation::Compensation, 1, Outcome::Success),
                "",
            ),
            (50, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_stuck_saga_takes_no_answers() {
    let stuck = check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (
                30,
                undo_no("a"),
                "stuck: branch a refused its compensation: no stock",
            ),
            (
                40,
                late(0, Operation::Compensation, 1, Outcome::Success),
                "",
            ),
        ],
    );
    assert_eq!(stuck.txn.branches()[0].status, BranchStatus::Compensating);
}
