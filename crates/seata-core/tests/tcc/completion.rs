//! Completion from outside: a result that somebody tells instead of the participant's answer.

use seata_core::{CompletionEnd, Input, Operation};

use crate::script::*;
use crate::spec::tcc;

fn named(operation: Operation, end: CompletionEnd) -> impl Fn(seata_core::BranchIndex) -> Input {
    move |branch| complete(branch, Some(operation), end.clone())
}

fn confirmed(branch: &'static str) -> Do {
    Do::About(branch, |branch| {
        complete(branch, Some(Confirm), CompletionEnd::Succeeded)
    })
}

fn cancelled(branch: &'static str) -> Do {
    Do::About(branch, |branch| {
        complete(branch, Some(Cancel), CompletionEnd::Succeeded)
    })
}

#[test]
fn the_try_of_a_registered_branch_is_told_by_the_initiator() {
    check(
        tcc("a*"),
        [
            (0, succeed("a"), "try of a succeeded"),
            (1, succeed("a"), ""),
            (
                2,
                fail("a"),
                "no: the try of branch a has succeeded already",
            ),
            (3, submit(), "submitted, confirm a#1"),
        ],
    );
}

#[test]
fn a_try_that_is_told_to_have_failed_can_only_be_cancelled() {
    check(
        tcc("a* b*"),
        [
            (0, fail("a"), "try of a failed"),
            (1, fail("a"), ""),
            (
                2,
                succeed("a"),
                "no: the try of branch a has been refused already",
            ),
            (
                3,
                submit(),
                "no: branch a refused its try: told; abort the transaction",
            ),
            (
                4,
                abort(),
                "abort_requested, turned by abort: a b, cancel a#1, cancel b#1",
            ),
        ],
    );
}

#[test]
fn a_completed_try_is_not_called_and_a_later_answer_is_recorded_but_changes_nothing() {
    let driven = check(
        tcc("a b"),
        [
            (0, Do::Record(try_input("b")), "try_requested"),
            (
                0,
                Do::RecordAbout("b", |b| complete(b, None, CompletionEnd::Succeeded)),
                "try of b succeeded",
            ),
            (1, ask_try("a"), "try_requested, a until 1001, try a#1"),
            (2, succeed("a"), "try of a succeeded"),
            (3, submit(), "submitted, confirm b#1"),
            (4, no("a", Try), "confirm a#1"),
            (5, ok("a", Confirm), ""),
            (6, ok("b", Confirm), "committed"),
        ],
    );
    assert_eq!(driven.txn.overridden(), None);
}

#[test]
fn an_ongoing_confirm_is_settled_and_its_late_answer_changes_nothing() {
    check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (1, ongoing("a", Confirm), "ask a in 100"),
            (2, confirmed("a"), "confirm of a succeeded, committed"),
            (3, succeed("a"), ""),
            (
                4,
                fail("a"),
                "no: the confirm of branch a has succeeded already",
            ),
        ],
    );
}

#[test]
fn a_confirm_that_is_told_to_have_failed_is_a_refusal() {
    check(
        tcc("a* b*"),
        [
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, ongoing("a", Confirm), "ask a in 100"),
            (2, not_confirmed("a"), "confirm of a failed"),
            (
                3,
                ok("b", Confirm),
                "stuck: branch a refused its confirm: told",
            ),
            (
                4,
                succeed("a"),
                "no: the confirm of branch a has been refused already",
            ),
        ],
    );
}

#[test]
fn while_its_call_flies_a_confirm_that_is_told_to_have_failed_is_not_called_again() {
    check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (1, not_confirmed("a"), "confirm of a failed"),
            (
                2,
                silent("a", Confirm),
                "stuck: branch a refused its confirm: told",
            ),
        ],
    );
}

#[test]
fn a_late_repetition_of_a_try_s_completion_does_not_settle_the_confirm() {
    let mut driven = check(
        tcc("a*"),
        [
            (0, succeed("a"), "try of a succeeded"),
            (1, submit(), "submitted, confirm a#1"),
            (
                2,
                succeed("a"),
                "no: this may mean the try of branch a or its confirm: name the operation that is meant",
            ),
        ],
    );
    let a = index(&driven.txn, "a");
    let again = named(Operation::Try, CompletionEnd::Succeeded)(a);
    assert_eq!(play(&mut driven, Do::Drive(again), 3), "");
    let confirmed = named(Operation::Confirm, CompletionEnd::Succeeded)(a);
    assert_eq!(
        play(&mut driven, Do::Drive(confirmed), 4),
        "confirm of a succeeded, committed"
    );
}

#[test]
fn only_what_is_asked_for_can_be_completed() {
    let mut driven = check(tcc("a*"), []);
    let a = index(&driven.txn, "a");
    for operation in [
        Operation::Confirm,
        Operation::Cancel,
        Operation::Action,
        Operation::Compensation,
    ] {
        let told = named(operation, CompletionEnd::Succeeded)(a);
        assert_eq!(
            play(&mut driven, Do::Drive(told), 1),
            format!("no: the {operation} of branch a is not asked for now: it can't be completed")
        );
    }
}

#[test]
fn a_cancel_that_waits_for_its_try_can_be_completed() {
    check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (1, abort(), "abort_requested, turned by abort: a"),
            (2, cancelled("a"), "cancel of a succeeded, aborted"),
        ],
    );
}

#[test]
fn what_is_told_of_a_try_just_after_the_decision_does_not_settle_the_cancel() {
    let unclear =
        "no: this may mean the try of branch a or its cancel: name the operation that is meant";
    check(
        tcc("a* b"),
        [
            (0, ask_try("b"), "try_requested, b until 1000, try b#1"),
            (1, ok("b", Try), ""),
            (
                2,
                abort(),
                "abort_requested, turned by abort: a b, cancel a#1, cancel b#1",
            ),
            (3, succeed("a"), unclear),
            (4, fail("a"), unclear),
            (5, ongoing("a", Cancel), "ask a in 100"),
            (6, succeed("a"), unclear),
            (7, cancelled("a"), "cancel of a succeeded"),
            (8, succeed("b"), "cancel of b succeeded, aborted"),
        ],
    );
}
