//! The way forward: who is called when, and the commit.

use seata_core::{Rejection, Status, Transaction, UnixMillis};

use crate::script::*;
use crate::spec::saga;

#[test]
fn branches_without_after_run_concurrently_and_all_successes_commit() {
    let ended = check(
        saga("a b c"),
        [
            (0, submit(), "submitted, call a#1, call b#1, call c#1"),
            (10, ok("b"), ""),
            (20, ok("a"), ""),
            (30, ok("c"), "committed"),
        ],
    );
    assert_eq!(ended.txn.status(), Status::Committed);
}

#[test]
fn a_branch_starts_once_all_that_it_comes_after_succeeded() {
    check(
        saga("a b:a c:a d:b,c"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1, call c#1"),
            (20, ok("c"), ""),
            (30, ok("b"), "call d#1"),
            (40, ok("d"), "committed"),
        ],
    );
}

#[test]
fn after_may_name_a_branch_that_is_listed_later() {
    check(
        saga("a:b b"),
        [
            (0, submit(), "submitted, call b#1"),
            (10, ok("b"), "call a#1"),
            (20, ok("a"), "committed"),
        ],
    );
}

#[test]
fn sequential_order_runs_branches_as_added() {
    check(
        saga("a b c:a").sequential(),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, ok("c"), "committed"),
        ],
    );
}

#[test]
fn no_more_than_branch_parallelism_are_called_at_once() {
    check(
        saga("a b c d").parallelism(2),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, ok("b"), "call c#1"),
            (20, ok("a"), "call d#1"),
            (30, ok("d"), ""),
            (40, ok("c"), "committed"),
        ],
    );
}

#[test]
fn a_branch_that_waits_for_its_next_attempt_gives_its_place_to_others() {
    check(
        saga("a b").parallelism(1),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a, call b#1"),
            (500, wake(), ""),
            (510, ok("b"), "call a#2"),
            (520, ok("a"), "committed"),
        ],
    );
}

#[test]
fn a_branch_that_is_due_again_goes_before_one_never_called() {
    check(
        saga("a b c").parallelism(1),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a, call b#1"),
            (500, ok("b"), "call a#2"),
            (510, ok("a"), "call c#1"),
            (520, ok("c"), "committed"),
        ],
    );
}

fn refused(branches: &str) -> String {
    Transaction::create(saga(branches).0.into(), UnixMillis(0))
        .expect_err(branches)
        .to_string()
}

#[test]
fn circles_unknown_names_and_names_given_twice_are_refused_by_name() {
    assert_eq!(
        refused("a b:d c:b d:c e:d"),
        "the branches c → d → b wait for each other: remove one `after`"
    );
    assert_eq!(
        refused("a:a"),
        "branch a waits for itself: take it out of its own `after`"
    );
    assert_eq!(
        refused("a b:x"),
        "branch b comes after x, which is no branch of this transaction"
    );
    assert_eq!(
        refused("a b a"),
        "branch a is given twice: give each branch a name of its own"
    );
}

#[test]
fn an_after_against_the_sequential_order_is_a_circle() {
    let refused = Transaction::create(saga("a:b b").sequential().0.into(), UnixMillis(0));
    assert!(matches!(refused, Err(Rejection::AfterCycle { names }) if names.len() == 2));
}
