//! Taking over: whatever has no recorded answer is in doubt.

use seata_core::{BranchStatus, FencingToken, Input};

use crate::script::*;
use crate::spec::saga;

#[test]
fn after_a_takeover_actions_without_a_recorded_answer_are_called_again() {
    check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            // A success travels behind and is lost with the driver.
            (10, ok("a"), "call b#1"),
            (20, crash(), "recovered, call a#1"),
            (30, ok("a"), "call b#1"),
            (40, ok("b"), "call c#1"),
            (50, ok("c"), "committed"),
        ],
    );
}

#[test]
fn a_taker_undoes_every_action_without_a_recorded_answer_whatever_after_says() {
    check(
        saga("a b:a c:b d-:c"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, crash(), "recovered, call a#1"),
            (
                30,
                abort(),
                "abort_requested, turned by abort, undoes a b c",
            ),
            (40, ok("a"), "undo c#1"),
            (50, undone("c"), "undo b#1"),
            (60, undone("b"), "undo a#1"),
            (70, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn an_abort_at_a_server_without_the_lease_that_takes_over_compensates() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, Do::Record(abort_input()), "abort_requested"),
            (
                20,
                crash(),
                "recovered, turned by abort, undoes a b, undo b#1",
            ),
            (30, undone("b"), "undo a#1"),
            (40, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_prepared_or_ended_saga_has_nothing_to_recover() {
    check(saga("a"), [(10, crash(), "")]);
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "committed"),
            (20, crash(), ""),
        ],
    );
}

#[test]
fn what_the_turn_left_out_was_never_called_whoever_takes_over() {
    let ended = check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (30, crash(), "recovered, undo a#1"),
            (40, undone("a"), "aborted"),
        ],
    );
    let statuses: Vec<_> = ended.txn.branches().iter().map(|b| b.status).collect();
    assert_eq!(
        statuses,
        [
            BranchStatus::Compensated,
            BranchStatus::Refused,
            BranchStatus::Prepared
        ]
    );
}

#[test]
fn the_highest_token_that_the_record_tells_of_is_known() {
    let mut saga = check(saga("a"), [(0, submit(), "submitted, call a#1")]);
    assert_eq!(saga.txn.token_seen(), FencingToken(0));
    play(&mut saga, silent("a"), 10);
    assert_eq!(saga.txn.token_seen(), FencingToken(1));
    let token = FencingToken(7);
    saga.advance(Input::Recover { token }, 20).unwrap();
    assert_eq!(saga.txn.token_seen(), token);
}
