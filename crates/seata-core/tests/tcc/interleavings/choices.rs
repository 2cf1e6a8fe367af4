//! What is drawn: TCCs, and what happens to them.

use proptest::prelude::*;
use seata_core::{End, Operation};

use crate::spec::{Spec, tcc};

/// What a participant says to a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said {
    Success,
    Refusal,
    Ongoing,
    Nothing,
}

/// Whether a request whose answer is not a settling one takes effect.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect {
    Now,
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
    Register,
    Try {
        pick: usize,
    },
    Submit,
    Abort,
    Confirm {
        pick: usize,
    },
    Cancel {
        pick: usize,
    },
    Complete {
        pick: usize,
        /// None: whoever tells does not name it.
        operation: Option<Operation>,
        told: Told,
    },
    Answer {
        pick: usize,
        said: Said,
        effect: Effect,
    },
    Pass {
        ms: i64,
    },
    Flush,
    Crash,
    Reload,
    ReloadOnAbort,
    ReloadOnSubmit,
    ReloadOnTry {
        pick: usize,
    },
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

/// Answers TCCs of up to five branches, some of whose tries the initiator calls itself.
pub(crate) fn specs() -> impl Strategy<Value = Spec> {
    let branches = prop::collection::vec(prop::bool::weighted(0.7), 0..=5);
    let deadline = prop_oneof![Just(None), Just(Some(300)), Just(Some(3_000))];
    (branches, 1..4_u32, deadline).prop_map(|(driven, parallelism, deadline)| {
        let names: Vec<String> = driven
            .iter()
            .enumerate()
            .map(|(at, driven)| format!("b{at}{}", if *driven { "" } else { "*" }))
            .collect();
        let spec = tcc(&names.join(" ")).parallelism(parallelism);
        match deadline {
            Some(ms) => spec.deadline(ms),
            None => spec,
        }
    })
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![Just(Effect::Now), Just(Effect::Never)]
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => Just(Said::Success),
        1 => Just(Said::Refusal),
        1 => Just(Said::Ongoing),
        2 => Just(Said::Nothing),
    ]
}

/// Answers which operation is named, if any.
fn named() -> impl Strategy<Value = Option<Operation>> {
    prop_oneof![
        Just(None),
        Just(Some(Operation::Try)),
        Just(Some(Operation::Confirm)),
        Just(Some(Operation::Cancel)),
    ]
}

fn pick() -> impl Strategy<Value = usize> {
    0..8_usize
}

/// What happens by itself, and what an initiator asks for.
pub(crate) fn moves() -> impl Strategy<Value = Move> {
    let told = prop_oneof![3 => Just(Told::Done), 1 => Just(Told::Refused)];
    prop_oneof![
        1 => Just(Move::Register),
        12 => pick().prop_map(|pick| Move::Try { pick }),
        5 => Just(Move::Submit),
        1 => Just(Move::Abort),
        2 => pick().prop_map(|pick| Move::Confirm { pick }),
        1 => pick().prop_map(|pick| Move::Cancel { pick }),
        2 => (pick(), named(), told)
            .prop_map(|(pick, operation, told)| Move::Complete { pick, operation, told }),
        20 => (pick(), said(), effect())
            .prop_map(|(pick, said, effect)| Move::Answer { pick, said, effect }),
        6 => (1..600_i64).prop_map(|ms| Move::Pass { ms }),
        2 => Just(Move::Flush),
        2 => Just(Move::Crash),
        2 => Just(Move::Reload),
        1 => Just(Move::ReloadOnAbort),
        1 => Just(Move::ReloadOnSubmit),
        2 => pick().prop_map(|pick| Move::ReloadOnTry { pick }),
        1 => Just(Move::Compact),
    ]
}

/// What an operator orders.
pub(crate) fn orders() -> impl Strategy<Value = Move> {
    let to = prop_oneof![Just(End::Committed), Just(End::Aborted)];
    prop_oneof![
        3 => prop::option::of(pick()).prop_map(|pick| Move::Retry { pick }),
        3 => (pick(), named()).prop_map(|(pick, operation)| Move::Skip { pick, operation }),
        1 => to.prop_map(|to| Move::Force { to }),
    ]
}
