//! Another driver takes over: what it can't know is in doubt.

use seata_core::{Next, TrialView, UnixMillis};

use crate::script::*;
use crate::spec::tcc;

#[test]
fn a_try_whose_driver_was_lost_is_in_doubt_and_may_be_asked_for_again() {
    let driven = check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (100, crash(), "recovered"),
            (
                101,
                submit(),
                "no: the try of branch a is not known to have succeeded: send the same try again, or abort",
            ),
            (102, ask_try("a"), "try_requested, a until 1102, try a#1"),
            (103, ok("a", Try), ""),
        ],
    );
    assert_eq!(
        driven.txn.trial(index(&driven.txn, "a")),
        Some(TrialView::Succeeded)
    );
}

#[test]
fn a_cancel_after_a_takeover_waits_for_the_limit_of_the_lost_call() {
    let mut driven = check(
        tcc("a b*"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (100, crash(), "recovered"),
            (
                101,
                abort(),
                "abort_requested, turned by abort: a b, cancel b#1",
            ),
            (102, ok("b", Cancel), ""),
        ],
    );
    let step = driven.advance(seata_core::Input::Wake, 103).unwrap();
    assert_eq!(step.next, Next::WakeAt(UnixMillis(1_000)));
    assert_eq!(play(&mut driven, wake(), 999), "");
    assert_eq!(play(&mut driven, wake(), 1_000), "cancel a#1");
}

#[test]
fn a_takeover_after_the_decision_waits_too() {
    check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (1, abort(), "abort_requested, turned by abort: a"),
            (100, crash(), "recovered"),
            (200, crash(), "recovered"),
            (999, retry_all(), "retried"),
            (1_000, wake(), "cancel a#1"),
        ],
    );
}

#[test]
fn the_answer_to_a_second_attempt_does_not_end_the_wait_for_the_first() {
    check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (500, crash(), "recovered"),
            (501, ask_try("a"), "try_requested, a until 1501, try a#1"),
            (510, silent("a", Try), ""),
            (511, abort(), "abort_requested, turned by abort: a"),
            (1_000, wake(), "cancel a#1"),
        ],
    );
}

#[test]
fn a_transaction_that_waits_for_its_initiator_has_nothing_to_recover() {
    check(tcc("a*"), [(5, crash(), "")]);
}

#[test]
fn after_a_crash_a_decided_transaction_goes_on_the_same_way() {
    check(
        tcc("a* b*"),
        [
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, ok("a", Confirm), ""),
            (2, crash(), "recovered, confirm a#1, confirm b#1"),
            (3, ok("a", Confirm), ""),
            (4, ok("b", Confirm), "committed"),
        ],
    );
}

#[test]
fn a_try_that_was_ordered_but_never_begun_is_begun_by_the_next_driver() {
    check(
        tcc(""),
        [
            (0, Do::Record(try_input("a")), "branch_added, try_requested"),
            (5, crash(), "a until 1005, try a#1"),
        ],
    );
}

#[test]
fn a_driver_that_meets_another_servers_abort_awaits_the_try_that_it_calls() {
    let mut driven = check(
        tcc("a"),
        [(0, ask_try("a"), "try_requested, a until 1000, try a#1")],
    );
    let step = driven.reload(Some(abort_input()), 5);
    assert_eq!(say(&driven.txn, &step), "turned by abort: a");
    assert_eq!(play(&mut driven, wake(), 6), "");
    assert_eq!(play(&mut driven, ok("a", Try), 7), "cancel a#1");
}

#[test]
fn a_driver_that_meets_another_servers_submit_keeps_what_it_knows() {
    let mut driven = check(
        tcc("a* b*"),
        [
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, ok("a", Confirm), ""),
        ],
    );
    let step = driven.reload(Some(seata_core::Input::Submit), 5);
    assert_eq!(say(&driven.txn, &step), "");
    assert_eq!(play(&mut driven, ok("b", Confirm), 7), "committed");
}
