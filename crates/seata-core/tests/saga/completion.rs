//! Completion from outside: a result that somebody tells instead of the participant's answer.

use seata_core::{BranchStatus, CompletionEnd, Input, Operation, Reason};

use crate::script::*;
use crate::spec::saga;

fn failed() -> CompletionEnd {
    CompletionEnd::Failed {
        reason: Reason::new("told"),
    }
}

fn complete(
    branch: seata_core::BranchIndex,
    operation: Option<Operation>,
    end: CompletionEnd,
) -> Input {
    Input::Complete {
        branch,
        operation,
        end,
    }
}

fn succeed(branch: &'static str) -> Do {
    Do::About(branch, |branch| {
        complete(branch, None, CompletionEnd::Succeeded)
    })
}

fn fail(branch: &'static str) -> Do {
    Do::About(branch, |branch| complete(branch, None, failed()))
}

fn fail_action(branch: &'static str) -> Do {
    Do::About(branch, |branch| {
        complete(branch, Some(Operation::Action), failed())
    })
}

#[test]
fn an_ongoing_action_is_settled_and_what_comes_after_it_starts() {
    let driven = check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ongoing("a"), "ask a in 100"),
            (20, succeed("a"), "completed, call b#1"),
            (21, succeed("a"), ""),
            (
                22,
                fail_action("a"),
                "no: the action of branch a has succeeded already",
            ),
            (500, wake(), ""),
            (510, ok("b"), "committed"),
        ],
    );
    assert_eq!(driven.txn.branches()[0].status, BranchStatus::Succeeded);
}

#[test]
fn the_answer_to_a_call_in_flight_is_recorded_but_never_applied() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, succeed("a"), "completed, call b#1"),
            (20, no("a"), ""),
            (30, ok("b"), "committed"),
        ],
    );
}

#[test]
fn an_action_that_was_called_and_is_told_to_have_failed_is_undone() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ongoing("a"), "ask a in 100"),
            (11, ok("b"), ""),
            (
                20,
                fail("a"),
                "completed, turned by refusal of a, undoes a b, undo a#1, undo b#1",
            ),
        ],
    );
}

#[test]
fn an_action_in_flight_that_is_told_to_have_failed_is_awaited_and_undone() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, fail("a"), "completed, turned by refusal of a, undoes a"),
            (20, silent("a"), "undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn an_action_that_was_surely_never_called_is_not_undone() {
    let driven = check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, fail("b"), "completed, turned by refusal of b, undoes a"),
            (20, ok("a"), "undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
    assert_eq!(driven.txn.branches()[1].status, BranchStatus::Refused);
}

#[test]
fn whoever_takes_over_does_not_know_that_it_was_never_called() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (
                10,
                Do::Record(complete(seata_core::BranchIndex(1), None, failed())),
                "completed",
            ),
            (
                20,
                crash(),
                "recovered, turned by refusal of b, undoes a b, undo b#1",
            ),
        ],
    );
}

#[test]
fn a_compensation_is_settled_or_refused_from_outside() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("a"), ""),
            (11, ok("b"), "committed"),
        ],
    );
    check(
        saga("a b c"),
        [
            (0, submit(), "submitted, call a#1, call b#1, call c#1"),
            (10, ok("a"), ""),
            (11, ok("b"), ""),
            (
                12,
                no("c"),
                "turned by refusal of c, undoes a b, undo a#1, undo b#1",
            ),
            (20, undo_ongoing("a"), "ask a in 100"),
            (21, undo_ongoing("b"), "ask b in 100"),
            (30, succeed("a"), "completed"),
            (
                31,
                fail("b"),
                "completed, stuck: branch b refused its compensation: told",
            ),
            (32, fail("b"), ""),
            (
                33,
                succeed("b"),
                "no: the compensation of branch b has been refused already",
            ),
            (40, retry("b"), "retried, undo b#2"),
            (41, undone("b"), "aborted"),
        ],
    );
}

#[test]
fn a_compensation_that_is_refused_while_its_call_flies_is_retried_only_after_that() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("a"), ""),
            (12, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (20, fail("a"), "completed"),
            (21, retry("a"), "retried"),
            (30, undo_silent("a"), "retry a"),
            (900, wake(), "undo a#2"),
            (910, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_repetition_that_comes_after_the_saga_turned_does_not_settle_the_compensation() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, succeed("a"), "completed"),
            (11, ok("a"), ""),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (
                30,
                succeed("a"),
                "no: this may mean the action of branch a or its compensation: name the operation that is meant",
            ),
            (40, undone("a"), "aborted"),
            (50, succeed("a"), ""),
        ],
    );
}

#[test]
fn what_is_told_of_an_action_just_after_the_saga_turned_does_not_settle_the_compensation() {
    let unclear = "no: this may mean the action of branch a or its compensation: name the operation that is meant";
    let undone_outside = Do::About("a", |a| {
        complete(a, Some(Operation::Compensation), CompletionEnd::Succeeded)
    });
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ongoing("a"), "ask a in 100"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (30, succeed("a"), unclear),
            (31, fail("a"), unclear),
            (40, undone_outside, "completed, aborted"),
        ],
    );
}

#[test]
fn only_what_is_asked_for_can_be_completed() {
    let not_now =
        |what: &str| format!("no: the {what} is not asked for now: it can't be completed");
    let mut driven = check(saga("a b-"), []);
    let mut said = |what: Do, at| play(&mut driven, what, at);
    assert_eq!(said(succeed("a"), 0), not_now("action of branch a"));
    said(submit(), 1);
    let undo = Do::About("a", |a| {
        complete(a, Some(Operation::Compensation), failed())
    });
    assert_eq!(said(undo, 2), not_now("compensation of branch a"));
    let stray = Do::About("a", |a| complete(a, Some(Operation::Confirm), failed()));
    assert_eq!(said(stray, 3), not_now("confirm of branch a"));
    said(ok("a"), 4);
    said(no("b"), 5);
    assert_eq!(said(succeed("b"), 6), not_now("compensation of branch b"));
}
