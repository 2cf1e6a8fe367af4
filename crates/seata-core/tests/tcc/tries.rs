//! Registration and tries.

use std::sync::Arc;

use seata_core::{Fingerprint, Input, Outcome, TrialView, UnixMillis};

use crate::script::*;
use crate::spec::{branch, tcc};

const CALLED: &str = "branch_added, try_requested, a until 1000, try a#1";

#[test]
fn a_try_is_registered_asked_for_and_begun_in_one_append_and_then_called() {
    let driven = check(tcc(""), [(0, ask_try("a"), CALLED), (10, ok("a", Try), "")]);
    let before_effects = driven.durable;
    assert_eq!(before_effects, driven.events.len(), "its answer too");
    assert_eq!(
        driven.txn.trial(index(&driven.txn, "a")),
        Some(TrialView::Succeeded)
    );
}

#[test]
fn a_try_that_is_not_known_is_made_again_only_when_it_is_asked_for_again() {
    check(
        tcc(""),
        [
            (0, ask_try("a"), CALLED),
            (10, ask_try("a"), ""),
            (20, silent("a", Try), ""),
            (5_000, wake(), ""),
            (5_001, ask_try("a"), "try_requested, a until 6001, try a#2"),
            (5_010, ongoing("a", Try), ""),
            (5_020, ask_try("a"), "try_requested, a until 6020, try a#3"),
            (5_030, ok("a", Try), ""),
            (5_040, ask_try("a"), ""),
        ],
    );
}

#[test]
fn a_refused_try_is_never_called_again() {
    let driven = check(
        tcc(""),
        [
            (0, ask_try("a"), CALLED),
            (10, no("a", Try), ""),
            (20, ask_try("a"), ""),
        ],
    );
    assert_eq!(
        driven.txn.trial(index(&driven.txn, "a")),
        Some(TrialView::Refused {
            reason: "no stock".into()
        })
    );
}

#[test]
fn tries_run_at_once_up_to_the_parallelism() {
    check(
        tcc("").parallelism(1),
        [
            (0, ask_try("a"), CALLED),
            (1, ask_try("b"), "branch_added, try_requested"),
            (10, ok("a", Try), "b until 1010, try b#1"),
        ],
    );
}

#[test]
fn a_try_that_was_not_begun_when_it_was_decided_is_awaited_by_nobody() {
    let mut driven = check(
        tcc("").parallelism(1),
        [
            (0, ask_try("a"), CALLED),
            (1, ask_try("b"), "branch_added, try_requested"),
        ],
    );
    let (a, b) = (index(&driven.txn, "a"), index(&driven.txn, "b"));
    assert_eq!(driven.txn.trial(b), Some(TrialView::Awaited));
    let decided = Some(TrialView::NotKnown {
        reason: Some("the transaction was decided: this try is not called any more".into()),
    });
    let mut ordered = driven.txn.clone();
    ordered.record(abort_input(), UnixMillis(2)).unwrap();
    assert_eq!(ordered.trial(b), decided, "another server only records it");
    driven.advance(abort_input(), 2).unwrap();
    assert_eq!(driven.txn.trial(a), Some(TrialView::Awaited));
    assert_eq!(driven.txn.trial(b), decided);
    assert_eq!(play(&mut driven, ok("a", Try), 3), "cancel a#1");
    assert_eq!(driven.txn.trial(b), decided);
}

#[test]
fn registering_again_is_no_change_and_other_content_is_a_conflict() {
    let mut driven = check(
        tcc(""),
        [
            (0, register("a*"), "branch_added"),
            (1, register("a*"), ""),
            (
                2,
                abort(),
                "abort_requested, turned by abort: a, cancel a#1",
            ),
            (3, register("a*"), ""),
            (
                4,
                register("b*"),
                "no: the transaction is ABORTING: it can't be given another branch any more",
            ),
            (
                5,
                ask_try("c"),
                "no: the transaction is ABORTING: it can't be given another branch any more",
            ),
        ],
    );
    let mut other = branch("a*");
    other.fingerprint = Fingerprint([1; 32]);
    let other = Do::Drive(Input::AddBranch(Arc::new(other)));
    assert_eq!(
        play(&mut driven, other, 6),
        "no: branch a was added before with other content"
    );
}

#[test]
fn a_try_without_an_endpoint_is_refused_and_registers_nothing() {
    check(
        tcc(""),
        [
            (
                0,
                ask_try("a*"),
                "no: branch a has no endpoint for its try: give one, or register the branch",
            ),
            (1, register("a*"), "branch_added"),
        ],
    );
}

#[test]
fn the_coordinator_does_not_call_the_try_of_a_branch_that_the_initiator_calls_itself() {
    check(
        tcc(""),
        [
            (0, register("a*"), "branch_added"),
            (
                1,
                ask_try("a*"),
                "no: branch a was registered for the initiator to call its try: call it yourself, or take another branch_id to have it called",
            ),
            (
                2,
                ask_try("a"),
                "no: branch a was registered for the initiator to call its try: call it yourself, or take another branch_id to have it called",
            ),
        ],
    );
}

#[test]
fn a_branch_whose_try_the_coordinator_calls_is_not_registered_for_the_initiator() {
    let mut own = branch("a*");
    own.fingerprint = Fingerprint([1; 32]);
    check(
        tcc(""),
        [
            (0, ask_try("a"), CALLED),
            (
                1,
                Do::Drive(Input::AddBranch(Arc::new(own))),
                "no: branch a was added for the coordinator to call its try: send the same try again, or take another branch_id to call it yourself",
            ),
        ],
    );
}

#[test]
fn a_branch_of_a_saga_is_none_of_a_tcc() {
    let mut saga = branch("a");
    let endpoint = saga.endpoint(Try).unwrap().clone();
    saga.endpoints = seata_core::Endpoints::Saga {
        action: endpoint,
        compensation: None,
    };
    check(
        tcc(""),
        [(
            0,
            Do::Drive(Input::AddBranch(Arc::new(saga))),
            "no: the transaction is a tcc: it can't be given a branch with an action",
        )],
    );
}

#[test]
fn an_order_at_a_server_without_the_lease_is_recorded_and_left_to_the_driver() {
    check(
        tcc(""),
        [
            (0, Do::Record(try_input("a")), "branch_added, try_requested"),
            (1, Do::Record(try_input("a")), ""),
            (2, wake(), "a until 1002, try a#1"),
            (3, Do::Record(try_input("a")), ""),
        ],
    );
}

#[test]
fn after_the_limit_of_a_call_whose_driver_was_lost_another_server_orders_the_next_attempt() {
    let mut driven = check(tcc(""), [(0, ask_try("a"), CALLED)]);
    // As a server reads it that doesn't know of the call.
    driven.flights.clear();
    driven.txn = seata_core::Transaction::fold(&crate::spec::gid(), &driven.events).unwrap();
    assert_eq!(play(&mut driven, Do::Record(try_input("a")), 999), "");
    assert_eq!(
        play(&mut driven, Do::Record(try_input("a")), 1_000),
        "try_requested"
    );
}

#[test]
fn an_answer_that_comes_twice_is_recorded_once() {
    let mut driven = check(tcc(""), [(0, ask_try("a"), CALLED)]);
    let late = answer(&driven, index(&driven.txn, "a"), Try, Outcome::Success);
    assert_eq!(play(&mut driven, Do::Drive(late.clone()), 5), "");
    let events = driven.events.len();
    assert_eq!(play(&mut driven, Do::Drive(late), 6), "");
    assert_eq!(driven.events.len(), events);
}
