//! Which facts must be durable before anything follows from them, and which may travel behind.

use seata_core::{AppendMode, End, FencingToken, Input, Operation, Outcome};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::saga;

/// A saga of `a`, `b` and `c` with the first call in flight.
fn flying() -> Driven {
    check(saga("a b:a c:b"), [(0, submit(), "submitted, call a#1")])
}

fn undoing() -> Driven {
    let mut saga = flying();
    for answered in [ok("a"), ok("b"), no("c")] {
        play(&mut saga, answered, 10);
    }
    saga
}

fn mode(mut saga: Driven, input: Input) -> AppendMode {
    saga.record(input, 20).unwrap().append
}

fn mode_of(saga: Driven, branch: &str, operation: Operation, outcome: Outcome) -> AppendMode {
    let input = answer(&saga, index(&saga.txn, branch), operation, outcome);
    mode(saga, input)
}

#[test]
fn only_a_success_in_the_middle_and_a_recovery_travel_behind() {
    use AppendMode::{BeforeEffects, Behind};
    let action = |outcome| mode_of(flying(), "a", Operation::Action, outcome);
    let undo = |outcome| mode_of(undoing(), "b", Operation::Compensation, outcome);
    let token = FencingToken(2);
    for (what, mode, expected) in [
        ("success of an action", action(Outcome::Success), Behind),
        ("success of a compensation", undo(Outcome::Success), Behind),
        ("recovery", mode(flying(), Input::Recover { token }), Behind),
        ("refusal of an action", action(failure()), BeforeEffects),
        ("silence of an action", action(unknown()), BeforeEffects),
        ("ongoing action", action(Outcome::Ongoing), BeforeEffects),
        ("refusal of a compensation", undo(failure()), BeforeEffects),
        ("silence of a compensation", undo(unknown()), BeforeEffects),
        (
            "ongoing compensation",
            undo(Outcome::Ongoing),
            BeforeEffects,
        ),
        ("abort", mode(flying(), abort_input()), BeforeEffects),
        (
            "force",
            mode(flying(), force_input(End::Aborted)),
            BeforeEffects,
        ),
        (
            "skip",
            mode(
                flying(),
                skip_input(index(&flying().txn, "a"), Operation::Action),
            ),
            BeforeEffects,
        ),
        (
            "submission",
            mode(Driven::new(&saga("a")), Input::Submit),
            BeforeEffects,
        ),
    ] {
        assert_eq!(mode, expected, "{what}");
    }
}

#[test]
fn the_decision_to_abort_is_durable_before_the_first_compensation() {
    let mut saga = flying();
    let refused = answer(&saga, index(&saga.txn, "a"), Operation::Action, failure());
    let step = saga.advance(refused, 10).unwrap();
    assert_eq!(step.append, AppendMode::BeforeEffects);
    assert_eq!(saga.durable, saga.events.len());
}

#[test]
fn a_success_that_ends_the_saga_is_durable_with_the_end() {
    let mut saga = check(saga("a"), [(0, submit(), "submitted, call a#1")]);
    let done = answer(
        &saga,
        index(&saga.txn, "a"),
        Operation::Action,
        Outcome::Success,
    );
    assert_eq!(
        saga.advance(done, 10).unwrap().append,
        AppendMode::BeforeEffects
    );
}

#[test]
fn a_long_path_in_one_request_needs_two_durable_waits() {
    let mut saga = check(
        saga("a b c d e").sequential(),
        [(0, submit(), "submitted, call a#1")],
    );
    let mut waits = 1;
    for branch in ["a", "b", "c", "d", "e"] {
        let done = answer(
            &saga,
            index(&saga.txn, branch),
            Operation::Action,
            Outcome::Success,
        );
        match saga.advance(done, 10).unwrap().append {
            AppendMode::BeforeEffects => waits += 1,
            AppendMode::Behind => {}
        }
    }
    assert_eq!(waits, 2);
}
