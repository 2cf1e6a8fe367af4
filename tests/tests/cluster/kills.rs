//! kill -9: the others go on with what a dead server drove, once its leases have passed.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{Fleet, Load, Participants, SharedStore, all_are_caused};

use crate::scene::{hold, told};

const INITIATORS: usize = 6;
/// Transactions between two blows.
const BETWEEN: usize = 40;
const KILLS: usize = 3;
const HELD: usize = 20;

pub(crate) async fn servers_may_be_killed_again_and_again_under_load(store: SharedStore) {
    let participants = Arc::new(Participants::start().await);
    let mut fleet = Fleet::start(&store).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    for kill in 0..KILLS {
        load.more(BETWEEN).await;
        let victim = kill % fleet.len();
        fleet.kill_nine(victim);
        // The two others bear the load for a while.
        load.more(BETWEEN).await;
        fleet.start_again(victim).await;
    }
    let tally = load.finish().await;
    eprintln!("{} transactions on {}", tally.len(), store.kind().as_str());
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}

pub(crate) async fn what_a_killed_server_drove_goes_on_elsewhere(store: SharedStore) {
    let participants = Participants::start().await;
    let mut fleet = Fleet::start(&store).await;
    let gids = hold("held", HELD, &fleet.server(0).client(), &participants).await;
    fleet.kill_nine(0);
    let killed = Instant::now();
    // What the participants have begun goes on; whoever called them is gone.
    participants.open("held");
    let client = fleet.client();
    for gid in &gids {
        client.reached(gid, "COMMITTED").await;
    }
    told(
        &store,
        "the last of what a killed server drove ended",
        killed,
    );
    for gid in &gids {
        let calls = participants.ledger().calls(gid);
        assert_eq!(calls, ["one action", "one action", "two action"], "{gid}");
    }
    all_are_caused(&participants, fleet.strikes());
}
