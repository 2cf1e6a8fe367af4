//! Before submission: branches, the submission itself, and the saga that nobody submits.

use std::sync::Arc;

use seata_core::{Fingerprint, Input, Status, UnixMillis};

use crate::script::*;
use crate::spec::{branch, saga};

#[test]
fn branches_added_before_submission_run_like_the_others() {
    check(
        saga("a"),
        [
            (10, add("b:a"), "branch_added"),
            (20, submit(), "submitted, call a#1"),
            (30, ok("a"), "call b#1"),
            (40, ok("b"), "committed"),
        ],
    );
}

#[test]
fn a_branch_added_again_changes_nothing_and_a_contrary_one_is_refused() {
    let mut other = branch("b");
    other.fingerprint = Fingerprint([1; 32]);
    check(
        saga("a"),
        [
            (10, add("b"), "branch_added"),
            (20, add("b"), ""),
            (
                30,
                Do::Drive(Input::AddBranch(Arc::new(other))),
                "no: branch b was added before with other content",
            ),
            (
                40,
                add("c:x"),
                "no: branch c comes after x, which is no branch of this transaction",
            ),
            (
                50,
                add("c:c"),
                "no: branch c waits for itself: take it out of its own `after`",
            ),
        ],
    );
}

#[test]
fn no_branch_is_added_after_submission_but_the_same_one_again_is_no_error() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (
                10,
                add("b"),
                "no: the transaction is SUBMITTED: it can't be given another branch any more",
            ),
            (20, add("a"), ""),
        ],
    );
}

#[test]
fn a_saga_without_branches_can_not_be_submitted() {
    check(
        saga(""),
        [
            (
                0,
                submit(),
                "no: the transaction has no branches: add one before submitting",
            ),
            (10, add("a"), "branch_added"),
            (20, submit(), "submitted, call a#1"),
        ],
    );
}

#[test]
fn a_saga_that_is_never_submitted_is_aborted_after_prepared_timeout() {
    let ended = check(
        saga("a"),
        [
            (9_999, wake(), ""),
            (
                10_000,
                wake(),
                "turned by prepared timeout, undoes, aborted",
            ),
            (
                10_001,
                submit(),
                "no: the transaction is ABORTED: it can't be submitted any more",
            ),
        ],
    );
    assert_eq!(ended.txn.status(), Status::Aborted);
}

#[test]
fn a_prepared_saga_wakes_at_its_timeout_and_a_submission_in_time_saves_it() {
    let open = check(saga("a"), [(10, add("b"), "branch_added")]);
    assert_eq!(open.txn.alarm(UnixMillis(10)), Some(UnixMillis(10_000)));
    check(
        saga("a"),
        [
            (9_999, submit(), "submitted, call a#1"),
            (20_000, wake(), ""),
            (20_010, ok("a"), "committed"),
        ],
    );
}

#[test]
fn an_abort_before_submission_calls_nobody() {
    check(
        saga("a"),
        [
            (
                10,
                abort(),
                "abort_requested, turned by abort, undoes, aborted",
            ),
            (20, abort(), ""),
        ],
    );
}

#[test]
fn a_submission_after_an_abort_that_nobody_decided_yet_is_refused() {
    check(
        saga("a"),
        [
            (10, Do::Record(abort_input()), "abort_requested"),
            (20, Do::Record(abort_input()), ""),
            (
                30,
                submit(),
                "no: the transaction is PREPARED: it can't be submitted any more",
            ),
            (
                40,
                add("b"),
                "no: the transaction is PREPARED: it can't be given another branch any more",
            ),
            (50, wake(), "turned by abort, undoes, aborted"),
        ],
    );
}

#[test]
fn a_second_submission_never_decides_again() {
    check(
        saga("a b:a").deadline(1_000),
        [
            (0, submit(), "submitted, call a#1"),
            (10, submit(), ""),
            (20, ok("a"), "call b#1"),
            (900, submit(), ""),
            (1_000, wake(), "turned by deadline, undoes a b"),
            (
                1_010,
                submit(),
                "no: the transaction is ABORTING: it can't be submitted any more",
            ),
            (1_020, no("b"), "undo a#1"),
        ],
    );
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "committed"),
            (20, submit(), ""),
            (
                30,
                abort(),
                "no: the transaction is COMMITTED: it can't be aborted any more",
            ),
        ],
    );
}
