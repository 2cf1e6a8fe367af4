//! What is drawn: sagas, and what happens to them.

use proptest::prelude::*;
use seata_core::{End, Operation};

use crate::spec::{Spec, saga};

/// What a participant says to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Success,
    Refusal,
    Ongoing,
    Nothing,
}

/// When a request whose answer is not a settling one takes effect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    Now,
    /// It is somewhere in the network.
    Later,
    Never,
}

/// What somebody outside tells of an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    Done,
    Refused,
}

#[derive(Debug, Clone)]
pub(crate) enum Move {
    Submit,
    Abort,
    Answer {
        pick: usize,
        said: Said,
        effect: Effect,
    },
    Arrive {
        pick: usize,
    },
    Complete {
        pick: usize,
        /// None: whoever tells does not name it.
        operation: Option<Operation>,
        told: Told,
    },
    ReloadOnComplete {
        pick: usize,
        /// None: whoever tells does not name it.
        operation: Option<Operation>,
        told: Told,
    },
    Pass {
        ms: i64,
    },
    Flush,
    Crash {
        effect: Effect,
    },
    Reload,
    ReloadOnAbort,
    Compact,
    Retry {
        pick: Option<usize>,
    },
    Skip {
        pick: usize,
        operation: Option<Operation>,
    },
    Force {
        to: End,
    },
}

/// Answers sagas of up to six branches in any acyclic order.
pub(crate) fn sagas() -> impl Strategy<Value = Spec> {
    let branches = prop::collection::vec((any::<u8>(), prop::bool::weighted(0.8)), 1..=6);
    let deadline = prop_oneof![Just(None), Just(Some(300)), Just(Some(3_000))];
    (branches, any::<bool>(), 1..4_u32, deadline, 0..4_u32).prop_map(
        |(branches, concurrent, parallelism, deadline, max_attempts)| {
            let spec = saga(&text(&branches))
                .parallelism(parallelism)
                .max_attempts(max_attempts);
            let spec = if concurrent { spec } else { spec.sequential() };
            match deadline {
                Some(ms) => spec.deadline(ms),
                None => spec,
            }
        },
    )
}

/// Each bit of the number says whether the branch comes after that earlier one.
fn text(branches: &[(u8, bool)]) -> String {
    let one = |at: usize, (bits, compensated): (u8, bool)| {
        let after: Vec<String> = (0..at)
            .filter(|earlier| bits >> earlier & 1 == 1)
            .map(|earlier| format!("b{earlier}"))
            .collect();
        let undo = if compensated { "" } else { "-" };
        format!("b{at}{undo}:{}", after.join(","))
    };
    let all: Vec<String> = branches
        .iter()
        .enumerate()
        .map(|(at, branch)| one(at, *branch))
        .collect();
    all.join(" ")
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![Just(Effect::Now), Just(Effect::Later), Just(Effect::Never)]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        5 => Just(Said::Success),
        1 => Just(Said::Refusal),
        1 => Just(Said::Ongoing),
        2 => Just(Said::Nothing),
    ]
}

/// Answers which operation is named, if any.
fn named() -> impl Strategy<Value = Option<Operation>> {
    prop_oneof![
        Just(None),
        Just(Some(Operation::Action)),
        Just(Some(Operation::Compensation)),
    ]
}

fn told() -> impl Strategy<Value = (usize, Option<Operation>, Told)> {
    let told = prop_oneof![2 => Just(Told::Done), 1 => Just(Told::Refused)];
    (0..8_usize, named(), told)
}

/// What happens by itself, and what an initiator asks for.
pub(crate) fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => told().prop_map(|(pick, operation, told)| Move::Complete { pick, operation, told }),
        1 => told()
            .prop_map(|(pick, operation, told)| Move::ReloadOnComplete { pick, operation, told }),
        4 => Just(Move::Submit),
        20 => (0..8_usize, said(), effect())
            .prop_map(|(pick, said, effect)| Move::Answer { pick, said, effect }),
        8 => (1..600_i64).prop_map(|ms| Move::Pass { ms }),
        2 => (0..8_usize).prop_map(|pick| Move::Arrive { pick }),
        2 => Just(Move::Flush),
        2 => effect().prop_map(|effect| Move::Crash { effect }),
        2 => Just(Move::Reload),
        1 => Just(Move::ReloadOnAbort),
        1 => Just(Move::Abort),
        1 => Just(Move::Compact),
    ]
}

/// What an operator orders.
pub(crate) fn orders() -> impl Strategy<Value = Move> {
    let to = prop_oneof![Just(End::Committed), Just(End::Aborted)];
    prop_oneof![
        3 => prop::option::of(0..7_usize).prop_map(|pick| Move::Retry { pick }),
        3 => (0..7_usize, named())
            .prop_map(|(pick, operation)| Move::Skip { pick, operation }),
        1 => to.prop_map(|to| Move::Force { to }),
    ]
}
