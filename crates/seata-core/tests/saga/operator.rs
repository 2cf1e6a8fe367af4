//! Orders from initiators and operators, in each state.

use seata_core::{
    BranchId, BranchIndex, End, Input, Operation, Reason, Rejection, Status, UnixMillis,
};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::saga;

#[derive(Debug, Clone, Copy)]
enum State {
    Prepared,
    Flying,
    Waiting,
    Undoing,
    UndoWaiting,
    Stuck,
    Committed,
    Aborted,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Prepared,
        Self::Flying,
        Self::Waiting,
        Self::Undoing,
        Self::UndoWaiting,
        Self::Stuck,
        Self::Committed,
        Self::Aborted,
    ];

    /// Answers a saga of `a` and then `b` in this state at time 50.
    fn reach(self) -> Driven {
        let submitted = (0, submit(), "submitted, call a#1");
        let acted = (10, ok("a"), "call b#1");
        let refused = (20, no("b"), "turned by refusal of b, undoes a, undo a#1");
        let saga = saga("a b:a");
        match self {
            Self::Prepared => check(saga, []),
            Self::Flying => check(saga, [submitted]),
            Self::Waiting => check(saga, [submitted, (10, silent("a"), "retry a")]),
            Self::Undoing => check(saga, [submitted, acted, refused]),
            Self::UndoWaiting => check(
                saga,
                [submitted, acted, refused, (30, undo_silent("a"), "retry a")],
            ),
            Self::Stuck => check(
                saga,
                [
                    submitted,
                    acted,
                    refused,
                    (
                        30,
                        undo_no("a"),
                        "stuck: branch a refused its compensation: no stock",
                    ),
                ],
            ),
            Self::Committed => check(saga, [submitted, acted, (20, ok("b"), "committed")]),
            Self::Aborted => check(
                saga,
                [submitted, acted, refused, (30, undone("a"), "aborted")],
            ),
        }
    }
}

/// Gives one order in each state.
fn check_order(order: impl Fn() -> Do, expected: [&str; 8]) {
    for (state, expected) in State::ALL.into_iter().zip(expected) {
        assert_eq!(
            play(&mut state.reach(), order(), 50),
            expected,
            "{:?} in {state:?}",
            order()
        );
    }
}

#[test]
fn submit_in_each_state() {
    check_order(
        submit,
        [
            "submitted, call a#1",
            "",
            "",
            "no: the transaction is ABORTING: it can't be submitted any more",
            "no: the transaction is ABORTING: it can't be submitted any more",
            "no: the transaction is STUCK: it can't be submitted any more",
            "",
            "no: the transaction is ABORTED: it can't be submitted any more",
        ],
    );
}

#[test]
fn abort_in_each_state() {
    check_order(
        abort,
        [
            "abort_requested, turned by abort, undoes, aborted",
            "abort_requested, turned by abort, undoes a",
            "abort_requested, turned by abort, undoes a, undo a#1",
            "",
            "",
            "",
            "no: the transaction is COMMITTED: it can't be aborted any more",
            "",
        ],
    );
}

#[test]
fn retry_in_each_state() {
    let nothing = "no: nothing waits for another attempt";
    check_order(
        retry_all,
        [
            nothing,
            nothing,
            "retried, call a#2",
            nothing,
            "retried, undo a#2",
            "retried, undo a#2",
            "no: the transaction is COMMITTED: it can't be retried any more",
            "no: the transaction is ABORTED: it can't be retried any more",
        ],
    );
}

#[test]
fn skip_of_an_action_in_each_state() {
    let no = "no: the action of branch a is not open: nothing to skip";
    check_order(
        || skip("a"),
        [
            no,
            "skipped action of a, call b#1",
            "skipped action of a, call b#1",
            no,
            no,
            no,
            no,
            no,
        ],
    );
}

#[test]
fn skip_of_a_compensation_in_each_state() {
    let no = "no: the compensation of branch a is not open: nothing to skip";
    check_order(
        || skip_undo("a"),
        [
            no,
            no,
            no,
            "skipped compensation of a, aborted",
            "skipped compensation of a, aborted",
            "skipped compensation of a, aborted",
            no,
            no,
        ],
    );
}

#[test]
fn skip_of_a_compensation_that_nobody_needs_is_refused() {
    check_order(
        || skip_undo("b"),
        ["no: the compensation of branch b is not open: nothing to skip"; 8],
    );
}

#[test]
fn force_to_aborted_in_each_state() {
    let done = "forced to ABORTED, aborted";
    check_order(
        || force(End::Aborted),
        [
            done,
            done,
            done,
            done,
            done,
            done,
            "no: the transaction is COMMITTED: it can't be forced to ABORTED any more",
            "",
        ],
    );
}

#[test]
fn force_to_committed_only_while_undecided() {
    let done = "forced to COMMITTED, committed";
    check_order(
        || force(End::Committed),
        [
            done,
            done,
            done,
            "no: the transaction is ABORTING: it can't be forced to COMMITTED any more",
            "no: the transaction is ABORTING: it can't be forced to COMMITTED any more",
            "no: the transaction is STUCK: it can't be forced to COMMITTED any more",
            "",
            "no: the transaction is ABORTED: it can't be forced to COMMITTED any more",
        ],
    );
}

#[test]
fn a_skipped_action_counts_as_done_and_the_end_says_so() {
    let ended = check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (20, skip("a"), "skipped action of a, call b#1"),
            (30, ok("b"), "committed"),
        ],
    );
    assert_eq!(ended.txn.overridden().unwrap().as_str(), "operator");
}

#[test]
fn a_skipped_action_that_was_ever_called_is_undone_when_the_saga_turns() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (20, skip("a"), "skipped action of a, call b#1"),
            (30, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (40, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_skipped_action_that_was_never_called_is_not_undone() {
    check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, skip("b"), "skipped action of b"),
            (20, ok("a"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes a, undo a#1"),
            (40, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn skipping_the_last_open_action_commits() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, skip("b"), "skipped action of b"),
            (20, ok("a"), "committed"),
        ],
    );
}

#[test]
fn a_retry_of_one_branch_leaves_the_others_waiting() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, silent("a"), "retry a"),
            (11, silent("b"), "retry b"),
            (12, retry("b"), "retried, call b#2"),
            (13, ok("b"), ""),
            (900, wake(), "call a#2"),
        ],
    );
}

#[test]
fn an_order_against_one_that_was_recorded_is_refused_and_the_same_again_is_not() {
    let mut saga = State::Flying.reach();
    let force_recorded = |to| Do::Record(force_input(to));
    assert_eq!(
        play(&mut saga, force_recorded(End::Committed), 50),
        "forced to COMMITTED"
    );
    assert_eq!(play(&mut saga, force_recorded(End::Committed), 60), "");
    assert_eq!(
        play(&mut saga, force_recorded(End::Aborted), 70),
        "no: the transaction is SUBMITTED: it can't be forced to ABORTED any more"
    );
    assert_eq!(
        play(&mut saga, Do::Record(abort_input()), 80),
        "no: the transaction is SUBMITTED: it can't be aborted any more"
    );
    assert_eq!(play(&mut saga, wake(), 90), "committed");
}

#[test]
fn an_abort_of_a_saga_that_was_forced_to_abort_is_no_error() {
    let mut saga = State::Flying.reach();
    play(&mut saga, Do::Record(force_input(End::Aborted)), 50);
    assert_eq!(
        play(&mut saga, Do::Record(abort_input()), 60),
        "abort_requested"
    );
    assert_eq!(play(&mut saga, wake(), 70), "aborted");
}

#[test]
fn a_forced_end_is_final_although_calls_are_in_flight() {
    let mut saga = State::Flying.reach();
    play(&mut saga, force(End::Aborted), 50);
    assert_eq!(play(&mut saga, no("a"), 60), "ignored");
    assert_eq!(saga.txn.status(), Status::Aborted);
    assert_eq!(saga.txn.in_flight(), 0);
}

#[test]
fn an_order_about_a_branch_that_does_not_exist_is_refused() {
    let mut saga = State::Flying.reach();
    let unknown = seata_core::BranchIndex(9);
    let order = Do::Drive(skip_input(unknown, Operation::Action));
    assert!(play(&mut saga, order, 50).starts_with("no: "));
    assert!(saga.txn.find_branch(&crate::spec::name("x")).is_err());
}

#[test]
fn an_order_about_a_branch_that_is_not_there_names_it() {
    let saga = Driven::new(&saga("a"));
    let skip = Input::Skip {
        branch: BranchIndex(7),
        operation: Some(Operation::Action),
        reason: Reason::new("no matter"),
    };
    let retry = Input::Retry {
        branch: Some(BranchIndex(7)),
        reason: Reason::new("no matter"),
    };
    let branch_id = BranchId::parse("7").unwrap();
    for order in [skip, retry] {
        let unknown = Rejection::UnknownBranch {
            branch_id: branch_id.clone(),
        };
        assert_eq!(saga.txn.step(order, UnixMillis(5)), Err(unknown));
    }
}

fn skip_unnamed(branch: &'static str) -> Do {
    Do::About(branch, |branch| skip_input(branch, None))
}

#[test]
fn a_skip_that_names_no_operation_means_the_one_of_the_present_direction() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (
                30,
                undo_no("a"),
                "stuck: branch a refused its compensation: no stock",
            ),
            (
                40,
                skip_unnamed("b"),
                "no: the compensation of branch b is not open: nothing to skip",
            ),
            (50, skip_unnamed("a"), "skipped compensation of a, aborted"),
        ],
    );
}

#[test]
fn a_skip_that_names_no_operation_and_may_mean_the_action_is_refused() {
    let unclear = |name: &str| {
        format!(
            "no: this may mean the action of branch {name} or its compensation: name the operation that is meant"
        )
    };
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, skip_unnamed("a"), "skipped action of a"),
            (20, abort(), "abort_requested, turned by abort, undoes a b"),
            (30, silent("a"), ""),
            (31, silent("b"), "undo a#1, undo b#1"),
            (40, skip_unnamed("a"), &unclear("a")),
            (50, skip_unnamed("b"), &unclear("b")),
            (60, skip_undo("b"), "skipped compensation of b"),
        ],
    );
}
