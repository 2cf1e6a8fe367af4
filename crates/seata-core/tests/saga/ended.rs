//! What is shown of branches once the saga has ended: never that calls go on, and the same whoever reads it.

use seata_core::{BranchStatus, End, OperationStatus, Transaction};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{gid, saga};

/// Answers a word per branch, live and as anyone reads it from the record, which must be the same.
fn shown(driven: &Driven) -> Vec<&'static str> {
    let words = |txn: &Transaction| -> Vec<_> {
        let branches = txn.branches().into_iter();
        branches.map(|branch| branch.status.as_str()).collect()
    };
    let read = Transaction::fold(&gid(), &driven.events).unwrap();
    assert!(driven.txn.status().is_final());
    assert_eq!(driven.txn.branches(), read.branches());
    for branch in read.branches() {
        for operation in branch.operations {
            assert_ne!(operation.status, OperationStatus::Calling);
            assert_eq!(operation.next_attempt_at, None);
        }
    }
    words(&driven.txn)
}

#[test]
fn a_branch_without_compensation_that_never_answered_is_in_doubt() {
    let ended = check(
        saga("a-").deadline(150),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (200, wake(), "turned by deadline, undoes, aborted"),
        ],
    );
    assert_eq!(shown(&ended), ["IN_DOUBT"]);
}

#[test]
fn a_forced_end_leaves_in_doubt_what_flies_and_what_waits_and_nothing_else() {
    for to in [End::Committed, End::Aborted] {
        let ended = check(
            saga("a b c:a d:c e-"),
            [
                (0, submit(), "submitted, call a#1, call b#1, call e#1"),
                (10, ok("a"), "call c#1"),
                (20, silent("b"), "retry b"),
                (
                    30,
                    force(to),
                    match to {
                        End::Committed => "forced to COMMITTED, committed",
                        End::Aborted => "forced to ABORTED, aborted",
                    },
                ),
            ],
        );
        let expected = ["SUCCEEDED", "IN_DOUBT", "IN_DOUBT", "PREPARED", "IN_DOUBT"];
        assert_eq!(shown(&ended), expected);
    }
}

#[test]
fn a_forced_end_of_what_is_being_undone_tells_what_is_known() {
    let turned = (
        20,
        no("c"),
        "turned by refusal of c, undoes a b, undo a#1, undo b#1",
    );
    let ended = check(
        saga("a b c:a,b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("a"), ""),
            (15, ok("b"), "call c#1"),
            turned,
            (30, undo_no("b"), ""),
            (40, force(End::Aborted), "forced to ABORTED, aborted"),
        ],
    );
    // The compensation of `a` may arrive yet; `b` refused to be undone, so its effect stands.
    assert_eq!(shown(&ended), ["IN_DOUBT", "SUCCEEDED", "REFUSED"]);
}

#[test]
fn an_action_that_flies_since_before_the_turn_is_in_doubt_at_a_forced_end() {
    let ended = check(
        saga("a- b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, no("b"), "turned by refusal of b, undoes"),
            (20, force(End::Aborted), "forced to ABORTED, aborted"),
        ],
    );
    assert_eq!(shown(&ended), ["IN_DOUBT", "REFUSED"]);
}

#[test]
fn what_was_never_submitted_was_never_called() {
    for to in [End::Committed, End::Aborted] {
        let mut driven = check(saga("a b-"), []);
        play(&mut driven, force(to), 10);
        assert_eq!(shown(&driven), ["PREPARED", "PREPARED"]);
    }
    let undone = check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
    let words = [BranchStatus::Compensated, BranchStatus::Refused];
    assert_eq!(shown(&undone), words.map(BranchStatus::as_str));
}
