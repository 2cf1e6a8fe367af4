//! STUCK: entered only when nothing else can go on, and every way out of it.

use seata_core::{End, Status};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::saga;

/// `a` and `b` succeeded, `c` refused, and `b` refuses to be undone.
fn stuck() -> Driven {
    check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes a b, undo b#1"),
            (
                40,
                undo_no("b"),
                "stuck: branch b refused its compensation: no stock",
            ),
        ],
    )
}

#[test]
fn a_refused_compensation_leaves_the_saga_stuck_with_its_reason() {
    let stuck = stuck();
    assert_eq!(stuck.txn.status(), Status::Stuck);
    assert_eq!(
        stuck.txn.attention().unwrap().as_str(),
        "branch b refused its compensation: no stock"
    );
}

#[test]
fn a_stuck_saga_does_nothing_by_itself() {
    let mut stuck = stuck();
    assert_eq!(play(&mut stuck, wake(), 1_000_000), "");
    assert_eq!(play(&mut stuck, crash(), 1_000_001), "recovered");
    assert_eq!(stuck.txn.status(), Status::Stuck);
}

#[test]
fn whatever_does_not_wait_for_the_refused_one_is_undone_first() {
    check(
        saga("a b:a x y:x z:b,y"),
        [
            (0, submit(), "submitted, call a#1, call x#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("x"), "call y#1"),
            (30, ok("b"), ""),
            (40, ok("y"), "call z#1"),
            (
                50,
                no("z"),
                "turned by refusal of z, undoes a b x y, undo b#1, undo y#1",
            ),
            (60, undo_no("b"), ""),
            (70, undo_silent("y"), "retry y"),
            (1_000, wake(), "undo y#2"),
            (1_010, undone("y"), "undo x#1"),
            (
                1_020,
                undone("x"),
                "stuck: branch b refused its compensation: no stock",
            ),
        ],
    );
}

#[test]
fn retry_calls_the_refused_one_again_and_the_rest_follows() {
    let mut stuck = stuck();
    assert_eq!(play(&mut stuck, retry("b"), 50), "retried, undo b#2");
    assert_eq!(play(&mut stuck, undone("b"), 60), "undo a#1");
    assert_eq!(play(&mut stuck, undone("a"), 70), "aborted");
    assert_eq!(stuck.txn.overridden(), None, "the participants ended it");
}

#[test]
fn a_retry_that_is_refused_again_is_stuck_again() {
    let mut stuck = stuck();
    assert_eq!(play(&mut stuck, retry_all(), 50), "retried, undo b#2");
    assert_eq!(
        play(&mut stuck, undo_no("b"), 60),
        "stuck: branch b refused its compensation: no stock"
    );
}

#[test]
fn retry_of_a_branch_that_is_not_stuck_is_refused() {
    let mut stuck = stuck();
    let refused = "no: nothing waits for another attempt";
    assert_eq!(play(&mut stuck, retry("a"), 50), refused);
    assert_eq!(play(&mut stuck, retry("c"), 50), refused);
    assert_eq!(stuck.txn.status(), Status::Stuck);
}

#[test]
fn skip_counts_the_compensation_as_done_with_the_operator_s_reason() {
    let mut stuck = stuck();
    assert_eq!(
        play(&mut stuck, skip_undo("b"), 50),
        "skipped compensation of b, undo a#1"
    );
    assert_eq!(play(&mut stuck, undone("a"), 60), "aborted");
    assert_eq!(stuck.txn.overridden().unwrap().as_str(), "operator");
}

#[test]
fn skipping_what_still_waits_leaves_the_refused_one_to_decide() {
    let mut stuck = stuck();
    assert_eq!(
        play(&mut stuck, skip_undo("a"), 50),
        "skipped compensation of a, stuck: branch b refused its compensation: no stock"
    );
    assert_eq!(
        play(&mut stuck, skip_undo("b"), 60),
        "skipped compensation of b, aborted"
    );
}

#[test]
fn a_stuck_saga_can_be_forced_to_its_own_side_only() {
    let mut stuck = stuck();
    assert_eq!(
        play(&mut stuck, force(End::Committed), 50),
        "no: the transaction is STUCK: it can't be forced to COMMITTED any more"
    );
    assert_eq!(
        play(&mut stuck, force(End::Aborted), 60),
        "forced to ABORTED, aborted"
    );
    assert_eq!(stuck.txn.overridden().unwrap().as_str(), "operator");
}

#[test]
fn an_order_recorded_without_the_lease_is_carried_out_by_the_next_driver() {
    let mut stuck = stuck();
    let order = Do::Record(force_input(End::Aborted));
    assert_eq!(play(&mut stuck, order, 50), "forced to ABORTED");
    assert_eq!(play(&mut stuck, wake(), 60), "aborted");
}
