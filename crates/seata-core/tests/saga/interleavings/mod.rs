//! Any saga, any answers, crashes, takeovers and orders in any order: it ends, and it ends right (P3, P7).

mod choices;
mod world;

use proptest::prelude::*;
use seata_core::Status;

use choices::{Move, moves, orders, sagas};
use world::World;

use crate::spec::Spec;

/// Plays the moves, lets the faults stop, and compares the end with what the participants did.
fn play(spec: &Spec, moves: &[Move], refuse: bool) {
    let mut world = World::new(spec);
    for one in moves {
        world.play(one);
    }
    world.heal(refuse);
    let ended = world.saga.txn.status();
    assert!(ended.is_final(), "it ends: {ended}");
    world.check_end();
    world.check_final();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn whatever_participants_networks_and_crashes_do_all_or_nothing_remains(
        spec in sagas(),
        moves in prop::collection::vec(moves(), 0..60),
        refuse in any::<bool>(),
    ) {
        play(&spec, &moves, refuse);
    }

    #[test]
    fn whatever_initiators_and_operators_order_it_ends(
        spec in sagas(),
        moves in prop::collection::vec(prop_oneof![3 => moves(), 1 => orders()], 0..60),
        refuse in any::<bool>(),
    ) {
        play(&spec, &moves, refuse);
    }
}

#[test]
fn a_world_without_faults_commits() {
    let mut world = World::new(&crate::spec::saga("b0 b1:b0 b2"));
    world.play(&Move::Submit);
    world.heal(false);
    assert_eq!(world.saga.txn.status(), Status::Committed);
    world.check_end();
}

#[test]
#[should_panic(expected = "b0 took effect and was not undone")]
fn the_model_notices_a_branch_that_was_left_half_done() {
    let mut world = World::new(&crate::spec::saga("b0 b1:b0"));
    world.play(&Move::Submit);
    world.play(&Move::Abort);
    world.heal(true);
    world.forget_compensation();
    world.check_end();
}
