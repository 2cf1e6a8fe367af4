//! Input that no driver and no client would send: whatever comes, the core decides or refuses, and never panics.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use seata_core::{
    AttemptId, BranchIndex, End, FencingToken, Input, Operation, Outcome, Reason, Transaction,
    UnixMillis,
};

use crate::script::{failure, unknown};
use crate::spec::{branch, gid, saga};
use crate::states::State;

fn branches() -> impl Strategy<Value = BranchIndex> {
    prop_oneof![9 => 0..4_u32, 1 => any::<u32>()].prop_map(BranchIndex)
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![Just(Operation::Action), Just(Operation::Compensation)]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Success),
        1 => Just(failure()),
        1 => Just(Outcome::Ongoing),
        1 => Just(unknown()),
    ]
}

fn reasons() -> impl Strategy<Value = Reason> {
    ".{0,8}".prop_map(|text| Reason::new(&text))
}

fn answers() -> impl Strategy<Value = Input> {
    let attempt =
        (0..3_u64, prop_oneof![9 => 0..4_u32, 1 => any::<u32>()]).prop_map(|(token, number)| {
            AttemptId {
                token: FencingToken(token),
                number,
            }
        });
    (branches(), operations(), attempt, outcomes(), any::<u64>()).prop_map(
        |(branch, operation, attempt, outcome, took_ms)| Input::Answered {
            branch,
            operation,
            attempt,
            outcome,
            took: Duration::from_millis(took_ms),
        },
    )
}

fn inputs() -> impl Strategy<Value = Input> {
    let ends = prop_oneof![Just(End::Committed), Just(End::Aborted)];
    let added = prop_oneof![Just("a"), Just("d:a"), Just("e:x"), Just("f:f")];
    prop_oneof![
        4 => Just(Input::Wake),
        2 => Just(Input::Submit),
        1 => added.prop_map(|text| Input::AddBranch(Arc::new(branch(text)))),
        1 => reasons().prop_map(|reason| Input::Abort { reason }),
        12 => answers(),
        1 => any::<u64>().prop_map(|token| Input::Recover { token: FencingToken(token) }),
        2 => (prop::option::of(branches()), reasons())
            .prop_map(|(branch, reason)| Input::Retry { branch, reason }),
        2 => (branches(), prop::option::of(operations()), reasons())
            .prop_map(|(branch, operation, reason)| Input::Skip { branch, operation, reason }),
        1 => (ends, reasons()).prop_map(|(to, reason)| Input::Force { to, reason }),
    ]
}

fn times() -> impl Strategy<Value = UnixMillis> {
    prop_oneof![
        8 => 0..20_000_i64,
        1 => any::<i64>(),
    ]
    .prop_map(UnixMillis)
}

/// Looks at all that there is to see.
fn look(txn: &Transaction, now: UnixMillis) {
    let _ = (txn.branches(), txn.waiting_for(), txn.attention());
    let _ = (txn.alarm(now), txn.deadline(), txn.in_flight());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_input_panics_and_what_is_recorded_can_be_read_again(
        inputs in prop::collection::vec((inputs(), times()), 0..40),
    ) {
        let definition = Arc::new(saga("a b:a c").deadline(9_000).max_attempts(3).0);
        let created = Transaction::create(definition, UnixMillis(0)).unwrap();
        let mut txn = Transaction::fold(&gid(), [&created]).unwrap();
        let mut events = vec![created];
        for (input, now) in inputs {
            if let Ok(step) = txn.advance(input, FencingToken(1), now) {
                events.extend(step.events);
            }
            look(&txn, now);
        }
        let folded = Transaction::fold(&gid(), &events).unwrap();
        prop_assert_eq!(folded.status(), txn.status());
        prop_assert_eq!(folded.last_event(), txn.last_event());
    }

    #[test]
    fn no_input_panics_in_any_state(
        at in 0..State::ALL.len(),
        inputs in prop::collection::vec((inputs(), times()), 0..10),
    ) {
        let mut txn = State::ALL[at].reach();
        for (input, now) in inputs {
            let _ = txn.advance(input, FencingToken(1), now);
            look(&txn, now);
        }
    }
}
