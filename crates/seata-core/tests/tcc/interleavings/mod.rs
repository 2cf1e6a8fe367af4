//! Any TCC, any answers, crashes, takeovers and orders in any order: it ends, on one side only, and it ends right (P3,
//! P5, P7).

mod choices;
mod world;

use proptest::prelude::*;
use seata_core::{Operation, Status};

use choices::{Effect, Move, Said, moves, orders, specs};
use world::World;

use crate::spec::{Spec, tcc};

/// Plays the moves, lets the faults stop, and compares the end with what the participants did.
fn play(spec: &Spec, moves: &[Move], refuse: bool) {
    let mut world = World::new(spec);
    for one in moves {
        world.play(one);
    }
    world.heal(if refuse { Said::Refusal } else { Said::Success });
    let ended = world.tcc.txn.status();
    assert!(ended.is_final(), "it ends: {ended}");
    world.check_end();
    world.check_final();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn whatever_participants_networks_and_crashes_do_one_side_is_carried_out_on_every_branch(
        spec in specs(),
        moves in prop::collection::vec(moves(), 0..60),
        refuse in any::<bool>(),
    ) {
        play(&spec, &moves, refuse);
    }

    #[test]
    fn whatever_initiators_and_operators_order_it_ends_on_one_side(
        spec in specs(),
        moves in prop::collection::vec(prop_oneof![3 => moves(), 1 => orders()], 0..60),
        refuse in any::<bool>(),
    ) {
        play(&spec, &moves, refuse);
    }
}

#[test]
fn a_world_without_faults_commits() {
    let mut world = World::new(&tcc("b0 b1*"));
    world.play(&Move::Try { pick: 2 });
    world.play(&Move::Answer {
        pick: 0,
        said: Said::Success,
        effect: Effect::Now,
    });
    world.play(&Move::Submit);
    world.heal(Said::Success);
    assert_eq!(world.tcc.txn.status(), Status::Committed);
    world.check_end();
}

#[test]
#[should_panic(expected = "b0 was not cancelled")]
fn the_model_notices_a_branch_that_was_left_reserved() {
    let mut world = World::new(&tcc("b0 b1*"));
    world.play(&Move::Abort);
    world.heal(Said::Success);
    world.forget(Operation::Cancel);
    world.check_end();
}

#[test]
#[should_panic(expected = "b0 was not confirmed")]
fn the_model_notices_a_confirm_that_was_skipped() {
    let mut world = World::new(&tcc("b0* b1*"));
    world.play(&Move::Submit);
    world.heal(Said::Success);
    world.forget(Operation::Confirm);
    world.check_end();
}
