//! Turning round: who must be undone, and who did nothing.

use seata_core::{
    AttemptId, BranchIndex, BranchStatus, Call, CompletionEnd, Effect, Fact, FencingToken, Input,
    Operation, Outcome, Reason, Status, UnixMillis,
};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{Spec, saga};

fn statuses(saga: &Driven) -> Vec<BranchStatus> {
    saga.txn.branches().iter().map(|b| b.status).collect()
}

#[test]
fn a_refusal_on_the_only_attempt_did_nothing_and_is_not_undone() {
    let ended = check(
        saga("a b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, no("b"), "turned by refusal of b, undoes a, undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
    assert_eq!(
        statuses(&ended),
        [
            BranchStatus::Compensated,
            BranchStatus::Refused,
            BranchStatus::Prepared
        ]
    );
}

#[test]
fn a_refusal_after_silence_leaves_the_branch_in_doubt() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, silent("a"), "retry a"),
            (500, wake(), "call a#2"),
            (510, no("a"), "turned by refusal of a, undoes a, undo a#1"),
            (520, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_failure_told_from_outside_leaves_a_branch_in_doubt_that_then_answers_success() {
    let told = Do::Record(Input::Complete {
        branch: BranchIndex(0),
        operation: Some(Operation::Action),
        end: CompletionEnd::Failed {
            reason: Reason::new("told"),
        },
    });
    let ended = check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, told, "completed"),
            (20, ok("a"), "turned by refusal of a, undoes a, undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
    assert_eq!(statuses(&ended), [BranchStatus::Compensated]);
}

#[test]
fn an_answer_to_what_an_action_let_on_counts_though_that_one_was_then_told_to_have_failed() {
    let told = Do::Record(Input::Complete {
        branch: BranchIndex(0),
        operation: Some(Operation::Action),
        end: CompletionEnd::Failed {
            reason: Reason::new("told"),
        },
    });
    // The driver knew that a had succeeded, and called b, when the failure was recorded elsewhere.
    let attempt = AttemptId {
        token: FencingToken(1),
        number: 1,
    };
    let later = answer_to(BranchIndex(1), Operation::Action, attempt, Outcome::Success);
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, told, "completed"),
            (20, Do::Drive(later), "turned by refusal of a, undoes a b"),
            (30, ok("a"), "undo b#1"),
            (40, undone("b"), "undo a#1"),
            (50, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn an_answer_to_what_a_compensation_let_on_counts_though_that_one_was_then_told_to_have_failed() {
    let told = || {
        Do::Record(Input::Complete {
            branch: BranchIndex(1),
            operation: Some(Operation::Compensation),
            end: CompletionEnd::Failed {
                reason: Reason::new("told"),
            },
        })
    };
    // The driver knew that b was undone, and undid a, when the failure was recorded elsewhere.
    let earlier = |outcome| {
        let attempt = AttemptId {
            token: FencingToken(1),
            number: 1,
        };
        Do::Drive(answer_to(
            BranchIndex(0),
            Operation::Compensation,
            attempt,
            outcome,
        ))
    };
    for (outcome, noted, then) in [
        (Outcome::Success, "", "aborted"),
        (unknown(), "retry a", "undo a#2"),
    ] {
        check(
            saga("a b:a c:b"),
            [
                (0, submit(), "submitted, call a#1"),
                (1, ok("a"), "call b#1"),
                (2, ok("b"), "call c#1"),
                (3, no("c"), "turned by refusal of c, undoes a b, undo b#1"),
                (4, told(), "completed"),
                (5, earlier(outcome), noted),
                (
                    6,
                    undone("b"),
                    "stuck: branch b refused its compensation: told",
                ),
                (7, crash(), "recovered"),
                (8, retry("b"), "retried, undo b#2"),
                (9, undone("b"), then),
            ],
        );
    }
}

#[test]
fn a_refusal_after_ongoing_leaves_the_branch_in_doubt() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ongoing("a"), "ask a in 100"),
            (500, wake(), "call a#2"),
            (510, no("a"), "turned by refusal of a, undoes a, undo a#1"),
        ],
    );
}

#[test]
fn a_refusal_after_a_recovery_leaves_the_branch_in_doubt() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, crash(), "recovered, call a#1"),
            (20, no("a"), "turned by refusal of a, undoes a, undo a#1"),
        ],
    );
}

#[test]
fn a_refusal_that_was_recorded_before_the_recovery_did_nothing() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, no("a"), "turned by refusal of a, undoes b"),
            (20, crash(), "recovered, undo b#1"),
            (30, undone("b"), "aborted"),
        ],
    );
}

#[test]
fn actions_in_flight_are_awaited_before_the_first_compensation() {
    let open = check(
        saga("a b c"),
        [
            (0, submit(), "submitted, call a#1, call b#1, call c#1"),
            (10, ok("a"), ""),
            (20, no("b"), "turned by refusal of b, undoes a c"),
            (30, wake(), ""),
        ],
    );
    assert_eq!(open.txn.status(), Status::Aborting);
    for (answer, then) in [
        (ok("c"), "undo a#1, undo c#1"),
        (silent("c"), "undo a#1, undo c#1"),
        (ongoing("c"), "undo a#1, undo c#1"),
        (no("c"), "undo a#1"),
    ] {
        assert_eq!(play(&mut open.clone(), answer, 40), then);
    }
}

#[test]
fn an_action_in_flight_that_was_silent_before_is_undone_even_if_it_refuses() {
    check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, silent("a"), "retry a"),
            (500, wake(), "call a#2"),
            (510, no("b"), "turned by refusal of b, undoes a"),
            (520, no("a"), "undo a#1"),
            (530, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn the_first_cause_stays() {
    let ended = check(
        saga("a b"),
        [
            (0, submit(), "submitted, call a#1, call b#1"),
            (10, no("a"), "turned by refusal of a, undoes b"),
            (20, abort(), ""),
            (30, no("b"), "aborted"),
        ],
    );
    assert!(matches!(
        ended.txn.abort_cause(),
        Some(seata_core::AbortCause::Refused { branch }) if branch.0 == 0
    ));
}

#[test]
fn an_abort_undoes_what_succeeded_waits_and_flies_and_nothing_else() {
    check(
        saga("a b c d:c"),
        [
            (0, submit(), "submitted, call a#1, call b#1, call c#1"),
            (10, ok("a"), ""),
            (20, silent("b"), "retry b"),
            (
                30,
                abort(),
                "abort_requested, turned by abort, undoes a b c",
            ),
            (40, ok("c"), "undo a#1, undo b#1, undo c#1"),
            (50, undone("a"), ""),
            (60, undone("b"), ""),
            (70, undone("c"), "aborted"),
        ],
    );
}

#[test]
fn an_abort_recorded_without_the_lease_is_decided_by_the_driver() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, Do::Record(abort_input()), "abort_requested"),
            (20, ok("a"), "turned by abort, undoes a, undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn an_abort_that_comes_before_the_last_success_is_decided_wins() {
    check(
        saga("a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, Do::Record(abort_input()), "abort_requested"),
            (20, ok("a"), "turned by abort, undoes a, undo a#1"),
            (30, undone("a"), "aborted"),
        ],
    );
}

#[test]
fn a_branch_without_compensation_declares_that_nothing_need_be_undone() {
    let ended = check(
        saga("a- b:a c:b"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, ok("a"), "call b#1"),
            (20, ok("b"), "call c#1"),
            (30, no("c"), "turned by refusal of c, undoes b, undo b#1"),
            (40, undone("b"), "aborted"),
        ],
    );
    assert_eq!(
        statuses(&ended),
        [
            BranchStatus::Succeeded,
            BranchStatus::Compensated,
            BranchStatus::Refused
        ]
    );
}

#[test]
fn a_saga_whose_first_branch_refuses_ends_at_once() {
    check(
        saga("a b:a"),
        [
            (0, submit(), "submitted, call a#1"),
            (10, no("a"), "turned by refusal of a, undoes, aborted"),
        ],
    );
}

/// Submits `a b`, lets `a` succeed, and withdraws the call of `b`, which never left.
fn withdrawn(spec: &Spec) -> Driven {
    let mut driven = Driven::new(spec);
    play(&mut driven, submit(), 0);
    play(&mut driven, ok("a"), 10);
    let b = (BranchIndex(1), Operation::Action);
    let attempt = driven.flights.remove(&b).unwrap();
    driven.txn.call_withdrawn(b.0, b.1, attempt);
    assert_eq!(driven.txn.in_flight(), 0);
    driven
}

#[test]
fn a_call_that_never_left_is_neither_awaited_nor_undone() {
    let mut driven = withdrawn(&saga("a b"));
    let reason = Reason::new("enough");
    let step = driven.advance(Input::Abort { reason }, 20).unwrap();
    let undone = step.events.iter().find_map(|event| {
        if let Fact::TurnedRound { compensate, .. } = &event.fact {
            Some(compensate.clone())
        } else {
            None
        }
    });
    assert_eq!(undone, Some(vec![BranchIndex(0)]));
    assert_eq!(step.effects.len(), 1, "a is undone at once");
    assert_eq!(statuses(&driven)[1], BranchStatus::Prepared);
}

#[test]
fn a_call_that_never_left_is_made_again_under_its_number() {
    let mut driven = withdrawn(&saga("a b"));
    let step = driven.advance(Input::Wake, 20).unwrap();
    let call = Call {
        branch: BranchIndex(1),
        operation: Operation::Action,
        number: 1,
    };
    assert_eq!(step.effects, [Effect::Call(call)]);
}

#[test]
fn a_call_that_has_not_left_is_wanted_until_the_saga_turns_or_its_deadline_passes() {
    let mut driven = Driven::new(&saga("a b").deadline(1_000));
    play(&mut driven, submit(), 0);
    let wanted = |driven: &Driven, now_ms| {
        let b = BranchIndex(1);
        driven
            .txn
            .calls_still(b, Operation::Action, UnixMillis(now_ms))
    };
    assert!(wanted(&driven, 999));
    assert!(!wanted(&driven, 1_000));
    play(&mut driven, no("a"), 10);
    assert!(!wanted(&driven, 20));
}
