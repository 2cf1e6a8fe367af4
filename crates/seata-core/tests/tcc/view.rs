//! What anyone may know.

use seata_core::{
    BranchStatus, End, Operation, OperationStatus, Outcome, Transaction, UnixMillis, WaitingFor,
};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{gid, name, tcc};

fn words(driven: &Driven) -> Vec<&'static str> {
    let branches = driven.txn.branches();
    branches
        .iter()
        .map(|branch| branch.status.as_str())
        .collect()
}

#[test]
fn each_state_of_a_branch_has_its_word() {
    let mut driven = check(
        tcc("own* never tried refused unknown trying"),
        [
            (
                0,
                ask_try("tried"),
                "try_requested, tried until 1000, try tried#1",
            ),
            (0, ok("tried", Try), ""),
            (
                0,
                ask_try("refused"),
                "try_requested, refused until 1000, try refused#1",
            ),
            (0, no("refused", Try), ""),
            (
                0,
                ask_try("unknown"),
                "try_requested, unknown until 1000, try unknown#1",
            ),
            (0, silent("unknown", Try), ""),
            (
                0,
                ask_try("trying"),
                "try_requested, trying until 1000, try trying#1",
            ),
        ],
    );
    assert_eq!(
        words(&driven),
        [
            "REGISTERED",
            "REGISTERED",
            "TRIED",
            "REFUSED",
            "IN_DOUBT",
            "TRYING"
        ]
    );
    driven.advance(abort_input(), 1).unwrap();
    assert_eq!(words(&driven), ["CANCELLING"; 6]);
    play(&mut driven, ok("own", Cancel), 2);
    assert_eq!(driven.txn.branches()[0].status, BranchStatus::Cancelled);
    assert_eq!(driven.txn.branches()[5].status, BranchStatus::Cancelling);
    let driven = check(
        tcc("a* b*"),
        [
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, ok("a", Confirm), ""),
            (
                2,
                no("b", Confirm),
                "stuck: branch b refused its confirm: no stock",
            ),
        ],
    );
    assert_eq!(words(&driven), ["CONFIRMED", "CONFIRMING"]);
}

#[test]
fn it_says_what_it_waits_for() {
    let mut driven = check(tcc("a").deadline(5_000), []);
    let until = UnixMillis(5_000);
    assert_eq!(driven.txn.deadline(), Some(until));
    let branch_id = name("a");
    assert_eq!(
        driven.txn.waiting_for(),
        Some(WaitingFor::Try { branch_id, until })
    );
    play(&mut driven, ask_try("a"), 0);
    let answer = WaitingFor::Answer {
        branch_id: name("a"),
        operation: Try,
        attempt: 1,
    };
    assert_eq!(driven.txn.waiting_for(), Some(answer));
    play(&mut driven, crash(), 1);
    driven.record(abort_input(), 2).unwrap();
    assert_eq!(driven.txn.waiting_for(), Some(WaitingFor::Coordinator));
    play(&mut driven, wake(), 3);
    let limit = WaitingFor::TryLimit {
        branch_id: name("a"),
        until: UnixMillis(1_000),
    };
    assert_eq!(driven.txn.waiting_for(), Some(limit));
    play(&mut driven, wake(), 1_000);
    play(&mut driven, silent("a", Cancel), 1_001);
    let Some(WaitingFor::Attempt { last, attempt, .. }) = driven.txn.waiting_for() else {
        panic!("{:?}", driven.txn.waiting_for());
    };
    assert_eq!((last, attempt), (Some(unknown()), 2));
    for _ in 0..2 {
        play(&mut driven, retry_all(), 1_100);
        play(&mut driven, Do::Answer("a", Cancel, unknown()), 1_101);
    }
    assert_eq!(
        driven.txn.attention().unwrap().as_str(),
        "branch a: 3 attempts of its cancel without success"
    );
    assert!(driven.txn.abort_cause().is_some());
    assert_eq!(driven.txn.deadline(), None);
    play(&mut driven, retry_all(), 1_200);
    play(
        &mut driven,
        Do::Answer("a", Cancel, Outcome::Success),
        1_201,
    );
    assert_eq!(driven.txn.waiting_for(), None);
}

#[test]
fn it_says_which_word_of_its_initiator_it_waits_for() {
    let mut driven = check(tcc("own* a b").deadline(5_000), []);
    let until = UnixMillis(5_000);
    play(&mut driven, ask_try("a"), 0);
    play(&mut driven, silent("a", Try), 1);
    let branch_id = name("a");
    assert_eq!(
        driven.txn.waiting_for(),
        Some(WaitingFor::Try { branch_id, until })
    );
    let mut refused = check(tcc("own* a b").deadline(5_000), []);
    play(&mut refused, ask_try("b"), 0);
    play(&mut refused, no("b", Try), 1);
    assert_eq!(
        refused.txn.waiting_for(),
        Some(WaitingFor::Abort {
            branch_id: name("b"),
            reason: "no stock".into(),
            until
        })
    );
    let own = check(tcc("own*").deadline(5_000), []);
    assert_eq!(
        own.txn.waiting_for(),
        Some(WaitingFor::Submission { until })
    );
}

/// Answers each operation that is shown of the first branch, with its state.
fn shown(driven: &Driven) -> Vec<(Operation, OperationStatus)> {
    let operations = driven.txn.branches().remove(0).operations;
    operations
        .iter()
        .map(|shown| (shown.operation, shown.status))
        .collect()
}

#[test]
fn a_try_that_was_asked_for_or_begun_is_shown_though_nobody_answered() {
    let mut driven = check(tcc("a b").parallelism(1), []);
    assert_eq!(shown(&driven), []);
    play(&mut driven, ask_try("a"), 0);
    assert_eq!(shown(&driven), [(Try, OperationStatus::Calling)]);
    play(&mut driven, crash(), 1);
    assert_eq!(words(&driven), ["IN_DOUBT", "REGISTERED"]);
    assert_eq!(shown(&driven), [(Try, OperationStatus::Open)]);
    let read = Transaction::fold(&gid(), &driven.events).unwrap();
    assert_eq!(driven.txn.branches(), read.branches());
    driven.advance(force_input(End::Aborted), 2).unwrap();
    assert_eq!(words_at_end(&driven), ["IN_DOUBT", "REGISTERED"]);
    assert_eq!(shown(&driven), [(Try, OperationStatus::Open)]);
}

/// Answers the words of an end, which are the same live and as anyone reads it from the record.
fn words_at_end(driven: &Driven) -> Vec<&'static str> {
    assert!(driven.txn.status().is_final());
    let read = Transaction::fold(&gid(), &driven.events).unwrap();
    assert_eq!(driven.txn.branches(), read.branches());
    for branch in read.branches() {
        for operation in branch.operations {
            assert_ne!(operation.status, OperationStatus::Calling);
            assert_eq!(operation.next_attempt_at, None);
        }
    }
    words(driven)
}

#[test]
fn after_a_forced_end_no_branch_looks_as_if_calls_went_on() {
    let mut trying = check(
        tcc("own* flies"),
        [(
            0,
            ask_try("flies"),
            "try_requested, flies until 1000, try flies#1",
        )],
    );
    trying.advance(force_input(End::Aborted), 1).unwrap();
    assert_eq!(words_at_end(&trying), ["REGISTERED", "IN_DOUBT"]);
    let mut confirming = check(
        tcc("a* b* c*"),
        [
            (
                0,
                submit(),
                "submitted, confirm a#1, confirm b#1, confirm c#1",
            ),
            (1, ok("a", Confirm), ""),
            (2, no("b", Confirm), ""),
        ],
    );
    confirming.advance(force_input(End::Committed), 3).unwrap();
    assert_eq!(
        words_at_end(&confirming),
        ["CONFIRMED", "REGISTERED", "IN_DOUBT"]
    );
}
