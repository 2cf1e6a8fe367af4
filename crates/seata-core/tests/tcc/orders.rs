//! The initiator's confirm and cancel of one branch.

use crate::script::*;
use crate::spec::tcc;

#[test]
fn while_undecided_confirming_one_branch_decides_for_all() {
    check(
        tcc("a* b*"),
        [(0, confirm("b"), "submitted, confirm a#1, confirm b#1")],
    );
}

#[test]
fn while_undecided_cancelling_one_branch_decides_for_all() {
    check(
        tcc("a* b*"),
        [(
            0,
            cancel("b"),
            "abort_requested, turned by abort: a b, cancel a#1, cancel b#1",
        )],
    );
}

#[test]
fn decided_it_hurries_only_the_branch_that_is_named() {
    check(
        tcc("a* b*"),
        [
            (0, submit(), "submitted, confirm a#1, confirm b#1"),
            (1, confirm("a"), ""),
            (10, silent("a", Confirm), "retry a"),
            (10, silent("b", Confirm), "retry b"),
            (11, confirm("a"), "hurried, confirm a#2"),
            (12, confirm("a"), ""),
            (20, ok("a", Confirm), ""),
            (21, confirm("a"), ""),
        ],
    );
}

#[test]
fn decided_the_opposite_is_refused_with_the_state() {
    check(
        tcc("a*"),
        [
            (0, submit(), "submitted, confirm a#1"),
            (
                1,
                cancel("a"),
                "no: the transaction is SUBMITTED: it can't be aborted any more",
            ),
            (2, ok("a", Confirm), "committed"),
            (3, confirm("a"), ""),
            (
                4,
                cancel("a"),
                "no: the transaction is COMMITTED: it can't be aborted any more",
            ),
        ],
    );
}

#[test]
fn no_hurry_calls_a_cancel_while_its_try_may_be_on_its_way() {
    check(
        tcc("a"),
        [
            (0, ask_try("a"), "try_requested, a until 1000, try a#1"),
            (1, abort(), "abort_requested, turned by abort: a"),
            (2, cancel("a"), ""),
            (3, crash(), "recovered"),
            (4, cancel("a"), ""),
            (999, wake(), ""),
            (1_000, wake(), "cancel a#1"),
        ],
    );
}

#[test]
fn an_order_about_a_branch_that_does_not_exist_says_so() {
    let nowhere = seata_core::BranchIndex(9);
    let mut driven = check(tcc("a*"), []);
    let inputs = [
        seata_core::Input::Confirm { branch: nowhere },
        seata_core::Input::Cancel { branch: nowhere },
        complete(nowhere, None, failed()),
        skip_input(nowhere, Confirm),
    ];
    for input in inputs {
        assert_eq!(
            play(&mut driven, Do::Drive(input), 1),
            "no: no branch 9 in this transaction"
        );
    }
}
