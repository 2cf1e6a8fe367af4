//! An operator's way out of every state.

use seata_core::{BranchIndex, CompletionEnd, End, Input, Reason, Status};

use crate::script::*;
use crate::spec::tcc;

#[test]
fn a_skipped_confirm_counts_as_done() {
    let driven = check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (
                1,
                no("a", Confirm),
                "stuck: branch a refused its confirm: no stock",
            ),
            (
                2,
                Do::About("a", |a| skip_input(a, Confirm)),
                "skipped confirm of a, committed",
            ),
        ],
    );
    assert!(driven.txn.overridden().is_some());
}

#[test]
fn a_retried_cancel_awaits_the_try_in_flight_like_any_other() {
    check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (1, abort(), "abort_requested, turned by abort: a"),
            (
                2,
                Do::About("a", |a| complete(a, Some(Cancel), failed())),
                "cancel of a failed",
            ),
            (3, retry_all(), "retried"),
            (4, ok("a", Try), "cancel a#1"),
            (5, ok("a", Cancel), "aborted"),
        ],
    );
}

#[test]
fn only_the_operation_of_the_present_direction_is_skipped() {
    check(
        tcc("a*"),
        [
            (
                0,
                Do::About("a", |a| skip_input(a, Try)),
                "no: the try of branch a is not open: nothing to skip",
            ),
            (1, submit(), "submitted, confirm a#1"),
            (
                2,
                Do::About("a", |a| skip_input(a, Cancel)),
                "no: the cancel of branch a is not open: nothing to skip",
            ),
        ],
    );
}

#[test]
fn a_skip_that_names_no_operation_and_may_mean_the_try_is_refused() {
    check(
        tcc("a* b*"),
        [
            (
                0,
                Do::About("b", |b| complete(b, Some(Try), CompletionEnd::Succeeded)),
                "try of b succeeded",
            ),
            (
                1,
                Do::About("b", |b| skip_input(b, None)),
                "no: the try of branch b is not open: nothing to skip",
            ),
            (2, submit(), "submitted, confirm a#1, confirm b#1"),
            (
                3,
                Do::About("a", |a| skip_input(a, None)),
                "no: this may mean the try of branch a or its confirm: name the operation that is meant",
            ),
            (
                4,
                Do::About("a", |a| skip_input(a, Confirm)),
                "skipped confirm of a",
            ),
            (
                5,
                Do::About("a", |a| skip_input(a, None)),
                "no: the confirm of branch a is not open: nothing to skip",
            ),
            (
                6,
                Do::About("b", |b| skip_input(b, None)),
                "skipped confirm of b, committed",
            ),
        ],
    );
}

#[test]
fn a_skip_that_crosses_with_the_decision_to_cancel_counts_as_no_cancel() {
    let unclear =
        "no: this may mean the try of branch a or its cancel: name the operation that is meant";
    check(
        tcc("a*"),
        [
            (
                0,
                abort(),
                "abort_requested, turned by abort: a, cancel a#1",
            ),
            (1, Do::About("a", |a| skip_input(a, None)), unclear),
            (
                2,
                no("a", Cancel),
                "stuck: branch a refused its cancel: no stock",
            ),
            (3, Do::About("a", |a| skip_input(a, None)), unclear),
            (
                4,
                Do::About("a", |a| skip_input(a, Cancel)),
                "skipped cancel of a, aborted",
            ),
        ],
    );
}

#[test]
fn a_retry_makes_waiting_attempts_due_now() {
    check(
        tcc("a* b*"),
        [
            (0, retry_all(), "no: nothing waits for another attempt"),
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, silent("a", Confirm), "retry a"),
            (2, retry_all(), "retried, confirm a#2"),
        ],
    );
}

#[test]
fn the_end_is_forced_only_to_the_decided_side() {
    check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (
                1,
                force(End::Aborted),
                "no: the transaction is SUBMITTED: it can't be forced to ABORTED any more",
            ),
            (2, force(End::Committed), "forced to COMMITTED, committed"),
            (3, force(End::Committed), ""),
        ],
    );
    check(
        tcc("a*"),
        [
            (
                0,
                abort(),
                "abort_requested, turned by abort: a, cancel a#1",
            ),
            (
                1,
                force(End::Committed),
                "no: the transaction is ABORTING: it can't be forced to COMMITTED any more",
            ),
            (2, force(End::Aborted), "forced to ABORTED, aborted"),
        ],
    );
}

#[test]
fn undecided_it_is_forced_to_either_end() {
    for (to, end) in [
        (End::Committed, Status::Committed),
        (End::Aborted, Status::Aborted),
    ] {
        let mut driven = check(tcc("a"), []);
        driven.advance(force_input(to), 1).unwrap();
        assert_eq!(driven.txn.status(), end);
    }
}

#[test]
fn the_first_order_to_end_stands() {
    check(
        tcc("a*"),
        [
            (
                0,
                Do::Record(force_input(End::Aborted)),
                "forced to ABORTED",
            ),
            (
                1,
                Do::Record(force_input(End::Committed)),
                "no: the transaction is PREPARED: it can't be forced to COMMITTED any more",
            ),
            (
                2,
                submit(),
                "no: the transaction is PREPARED: it can't be submitted any more",
            ),
        ],
    );
}

#[test]
fn an_order_about_a_branch_that_is_not_there_names_it() {
    let unknown = "no: no branch 7 in this transaction";
    let reason = || Reason::new("no matter");
    let seven = BranchIndex(7);
    let retry = Input::Retry {
        branch: Some(seven),
        reason: reason(),
    };
    let orders = [
        retry,
        skip_input(seven, Confirm),
        complete(seven, None, CompletionEnd::Succeeded),
        Input::Confirm { branch: seven },
        Input::Cancel { branch: seven },
    ];
    for order in orders {
        check(tcc("a*"), [(0, Do::Drive(order), unknown)]);
    }
}
