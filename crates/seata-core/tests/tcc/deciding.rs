//! The decision: to confirm all, or to cancel all, once and for ever.

use seata_core::{CompletionEnd, Input, Reason, Status};

use crate::script::*;
use crate::spec::tcc;

const SUBMITTED: &str = "submitted, confirm a#1, confirm b#1";

#[test]
fn submitted_every_branch_is_confirmed_at_once_and_then_it_is_committed() {
    let driven = check(
        tcc("a* b*"),
        [
            (0, submit(), SUBMITTED),
            (10, ok("b", Confirm), ""),
            (20, ok("a", Confirm), "committed"),
            (30, submit(), ""),
        ],
    );
    assert_eq!(driven.txn.status(), Status::Committed);
}

#[test]
fn a_second_submit_decides_nothing_and_skips_no_confirm() {
    check(
        tcc("a* b*"),
        [
            (0, submit(), SUBMITTED),
            (10, silent("a", Confirm), "retry a"),
            (11, submit(), ""),
            (12, ok("b", Confirm), ""),
            (13, submit(), ""),
            (500, wake(), "confirm a#2"),
            (501, submit(), ""),
            (510, ok("a", Confirm), "committed"),
        ],
    );
}

#[test]
fn nothing_is_submitted_without_branches() {
    check(
        tcc(""),
        [(
            0,
            submit(),
            "no: the transaction has no branches: add one before submitting",
        )],
    );
}

#[test]
fn nothing_is_submitted_while_a_try_is_not_known_to_have_succeeded() {
    let not_known =
        "no: the try of branch a is not known to have succeeded: send the same try again, or abort";
    check(
        tcc("b* a"),
        [
            (0, submit(), not_known),
            (1, ask_try("a"), "try_requested, a until 1001, try a#1"),
            (2, submit(), not_known),
            (3, silent("a", Try), ""),
            (4, submit(), not_known),
            (5, confirm("b"), not_known),
            (6, ask_try("a"), "try_requested, a until 1006, try a#2"),
            (7, ok("a", Try), ""),
            (8, submit(), "submitted, confirm b#1, confirm a#1"),
        ],
    );
}

#[test]
fn nothing_is_submitted_after_a_refused_try() {
    check(
        tcc("b* a"),
        [
            (1, ask_try("a"), "try_requested, a until 1001, try a#1"),
            (2, no("a", Try), ""),
            (
                3,
                submit(),
                "no: branch a refused its try: no stock; abort the transaction",
            ),
            (
                4,
                abort(),
                "abort_requested, turned by abort: b a, cancel b#1, cancel a#1",
            ),
        ],
    );
}

#[test]
fn a_refused_try_is_told_before_one_that_is_not_known() {
    let refused = "no: branch b refused its try: no stock; abort the transaction";
    check(
        tcc("a b"),
        [
            (1, ask_try("a"), "try_requested, a until 1001, try a#1"),
            (2, silent("a", Try), ""),
            (3, ask_try("b"), "try_requested, b until 1003, try b#1"),
            (4, no("b", Try), ""),
            (5, submit(), refused),
            (6, confirm("a"), refused),
        ],
    );
}

#[test]
fn a_refusal_without_a_reason_shows_none() {
    let refuse = |a| {
        let reason = Reason::default();
        complete(a, Some(Try), CompletionEnd::Failed { reason })
    };
    check(
        tcc("a*"),
        [
            (1, Do::About("a", refuse), "try of a failed"),
            (
                2,
                submit(),
                "no: branch a refused its try; abort the transaction",
            ),
        ],
    );
}

#[test]
fn aborted_every_branch_is_cancelled_whatever_is_known_of_its_try() {
    let driven = check(
        tcc("own* never refused unknown tried"),
        [
            (
                1,
                ask_try("refused"),
                "try_requested, refused until 1001, try refused#1",
            ),
            (2, no("refused", Try), ""),
            (
                3,
                ask_try("unknown"),
                "try_requested, unknown until 1003, try unknown#1",
            ),
            (4, silent("unknown", Try), ""),
            (
                5,
                ask_try("tried"),
                "try_requested, tried until 1005, try tried#1",
            ),
            (6, ok("tried", Try), ""),
            (
                7,
                abort(),
                "abort_requested, turned by abort: own never refused unknown tried, cancel own#1, cancel never#1, cancel refused#1, cancel unknown#1, cancel tried#1",
            ),
            (8, ok("own", Cancel), ""),
            (9, ok("never", Cancel), ""),
            (10, ok("refused", Cancel), ""),
            (11, ok("unknown", Cancel), ""),
            (12, ok("tried", Cancel), "aborted"),
            (13, abort(), ""),
        ],
    );
    assert_eq!(driven.txn.status(), Status::Aborted);
}

#[test]
fn a_cancel_waits_for_the_answer_to_its_try_and_no_other_does() {
    check(
        tcc("b* a"),
        [
            (1, ask_try("a"), "try_requested, a until 1001, try a#1"),
            (
                2,
                abort(),
                "abort_requested, turned by abort: b a, cancel b#1",
            ),
            (3, ok("b", Cancel), ""),
            (4, wake(), ""),
            (5, ok("a", Try), "cancel a#1"),
            (6, ok("a", Cancel), "aborted"),
        ],
    );
}

#[test]
fn without_branches_an_abort_ends_it_at_once() {
    check(
        tcc(""),
        [(0, abort(), "abort_requested, turned by abort: , aborted")],
    );
}

#[test]
fn undecided_it_is_cancelled_at_its_deadline_counted_from_its_creation() {
    check(
        tcc("a*").deadline(300),
        [
            (299, wake(), ""),
            (300, wake(), "turned by deadline: a, cancel a#1"),
            (
                301,
                submit(),
                "no: the transaction is ABORTING: it can't be submitted any more",
            ),
        ],
    );
}

#[test]
fn without_a_deadline_the_prepared_timeout_holds() {
    check(
        tcc("a*"),
        [
            (9_999, wake(), ""),
            (10_000, wake(), "turned by prepared timeout: a, cancel a#1"),
        ],
    );
}

#[test]
fn the_deadline_is_over_once_it_was_submitted() {
    check(
        tcc("a*").deadline(300),
        [
            (299, submit(), "submitted, confirm a#1"),
            (400, silent("a", Confirm), "retry a"),
            (5_000, wake(), "confirm a#2"),
            (50_000, ok("a", Confirm), "committed"),
        ],
    );
}

#[test]
fn what_was_decided_never_changes_sides() {
    let refused = |asked: &str, status: &str| {
        format!("no: the transaction is {status}: it can't be {asked} any more")
    };
    for (decide, opposite, asked, status) in [
        (Input::Submit, abort_input(), "aborted", "SUBMITTED"),
        (abort_input(), Input::Submit, "submitted", "ABORTING"),
    ] {
        let mut driven = check(tcc("a*"), []);
        driven.advance(decide, 1).unwrap();
        let said = play(&mut driven, Do::Drive(opposite), 2);
        assert_eq!(said, refused(asked, status));
    }
}

#[test]
fn a_refused_confirm_stands_still_and_never_cancels() {
    let driven = check(
        tcc("a* b*"),
        [
            (0, submit(), SUBMITTED),
            (10, no("a", Confirm), ""),
            (20, silent("b", Confirm), "retry b"),
            (500, wake(), "confirm b#2"),
            (
                510,
                ok("b", Confirm),
                "stuck: branch a refused its confirm: no stock",
            ),
            (
                520,
                abort(),
                "no: the transaction is STUCK: it can't be aborted any more",
            ),
            (530, submit(), ""),
            (540, retry_all(), "retried, confirm a#2"),
            (550, ok("a", Confirm), "committed"),
        ],
    );
    assert_eq!(driven.txn.overridden(), None);
}

#[test]
fn a_refused_cancel_stands_still_and_never_confirms() {
    check(
        tcc("a*"),
        [
            (
                0,
                abort(),
                "abort_requested, turned by abort: a, cancel a#1",
            ),
            (
                10,
                no("a", Cancel),
                "stuck: branch a refused its cancel: no stock",
            ),
            (
                20,
                submit(),
                "no: the transaction is STUCK: it can't be submitted any more",
            ),
        ],
    );
}

#[test]
fn an_ongoing_confirm_is_asked_at_the_fixed_interval() {
    check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (10, ongoing("a", Confirm), "ask a in 100"),
            (110, wake(), "confirm a#2"),
        ],
    );
}

#[test]
fn confirms_run_up_to_the_parallelism() {
    check(
        tcc("a* b* c*").parallelism(2),
        [
            (0, submit(), SUBMITTED),
            (1, ok("a", Confirm), "confirm c#1"),
        ],
    );
}
