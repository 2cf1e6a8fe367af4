//! An open record can't be forgotten: who looks next, when, and what a person sees meanwhile.

use seata_core::{Input, Next, Operation, UnixMillis, WaitingFor};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{Spec, name, saga};

fn next(driven: &mut Driven, input: Input, now_ms: i64) -> Next {
    driven.advance(input, now_ms).unwrap().next
}

fn submitted(spec: Spec) -> Driven {
    let mut driven = Driven::new(&spec);
    driven.advance(Input::Submit, 0).unwrap();
    driven
}

#[test]
fn a_prepared_saga_is_looked_at_when_its_timeout_passes() {
    let mut saga = Driven::new(&saga("a"));
    assert_eq!(
        next(&mut saga, Input::Wake, 5),
        Next::WakeAt(UnixMillis(10_000))
    );
    assert_eq!(
        saga.txn.waiting_for(),
        Some(WaitingFor::Submission {
            until: UnixMillis(10_000)
        })
    );
}

#[test]
fn while_a_call_is_in_flight_whoever_finds_the_lease_ended_looks_at_once() {
    let mut saga = submitted(saga("a").deadline(60_000));
    assert_eq!(next(&mut saga, Input::Wake, 5), Next::WakeAt(UnixMillis(5)));
    assert_eq!(
        saga.txn.waiting_for(),
        Some(WaitingFor::Answer {
            branch_id: name("a"),
            operation: Operation::Action,
            attempt: 1
        })
    );
}

#[test]
fn a_saga_that_waits_is_looked_at_when_its_next_attempt_is_due() {
    let mut saga = submitted(saga("a").deadline(60_000));
    play(&mut saga, ongoing("a"), 10);
    assert_eq!(
        next(&mut saga, Input::Wake, 20),
        Next::WakeAt(UnixMillis(110))
    );
    assert!(matches!(
        saga.txn.waiting_for(),
        Some(WaitingFor::Attempt {
            attempt: 2,
            at: UnixMillis(110),
            last: Some(_),
            ..
        })
    ));
}

#[test]
fn a_saga_whose_deadline_comes_first_is_looked_at_then() {
    let mut saga = submitted(saga("a").deadline(50));
    play(&mut saga, ongoing("a"), 10);
    assert_eq!(
        next(&mut saga, Input::Wake, 20),
        Next::WakeAt(UnixMillis(50))
    );
}

#[test]
fn the_earliest_attempt_of_several_counts() {
    let mut saga = submitted(saga("a b"));
    play(&mut saga, ongoing("a"), 30);
    play(&mut saga, ongoing("b"), 40);
    assert_eq!(
        next(&mut saga, Input::Wake, 50),
        Next::WakeAt(UnixMillis(130))
    );
}

#[test]
fn an_order_recorded_without_the_lease_is_looked_at_at_once() {
    let mut prepared = Driven::new(&saga("a"));
    let recorded = prepared.record(abort_input(), 7).unwrap();
    assert_eq!(recorded.next, Next::WakeAt(UnixMillis(7)));
    assert_eq!(prepared.txn.waiting_for(), Some(WaitingFor::Coordinator));
}

#[test]
fn a_full_saga_has_no_alarm_but_its_deadline() {
    let open = submitted(saga("a b").parallelism(1));
    assert_eq!(open.txn.alarm(UnixMillis(1)), None);
    let open = submitted(saga("a b").parallelism(1).deadline(500));
    assert_eq!(open.txn.alarm(UnixMillis(1)), Some(UnixMillis(500)));
}

#[test]
fn what_is_stuck_waits_for_an_operator_and_what_has_ended_for_nobody() {
    let mut stuck = submitted(saga("a b:a"));
    play(&mut stuck, ok("a"), 10);
    play(&mut stuck, no("b"), 20);
    play(&mut stuck, undo_no("a"), 30);
    assert_eq!(next(&mut stuck, Input::Wake, 40), Next::Operator);
    assert!(matches!(
        stuck.txn.waiting_for(),
        Some(WaitingFor::Operator { reason }) if reason.as_str().contains("no stock")
    ));
    play(&mut stuck, skip_undo("a"), 50);
    assert_eq!(next(&mut stuck, Input::Wake, 60), Next::Nobody);
    assert_eq!(stuck.txn.waiting_for(), None);
}

#[test]
fn a_saga_that_was_loaded_and_not_driven_yet_waits_for_a_coordinator() {
    let open = submitted(saga("a"));
    let loaded = seata_core::Transaction::fold(open.txn.gid(), &open.events).unwrap();
    assert_eq!(loaded.waiting_for(), Some(WaitingFor::Coordinator));
}

#[test]
fn time_that_runs_backwards_is_taken_as_standing_still() {
    let mut saga = submitted(saga("a").deadline(100));
    play(&mut saga, ongoing("a"), 50);
    assert_eq!(saga.txn.updated_at(), UnixMillis(50));
    assert_eq!(
        next(&mut saga, abort_input(), 10),
        Next::WakeAt(UnixMillis(50))
    );
    assert!(saga.events.iter().all(|event| event.at <= UnixMillis(50)));
}
