//! kill -9: the others go on with what a dead server drove, once its leases have passed.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{Fleet, Load, Participants, SharedStore, all_are_caused, measured, until};

use crate::scene::hold;

const INITIATORS: usize = 6;
/// Transactions between two blows.
const BETWEEN: usize = 40;
const KILLS: usize = 3;
const HELD: usize = 20;

pub(crate) async fn under_load(fleet: &mut Fleet) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let client = fleet.client();
    let load = Load::start("killed", INITIATORS, &client, &participants);
    for kill in 0..KILLS {
        load.more(BETWEEN).await;
        let victim = kill % fleet.len();
        fleet.kill_nine(victim);
        // The two others bear the load for a while.
        load.more(BETWEEN).await;
        fleet.start_again(victim).await;
    }
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}

pub(crate) async fn with_calls_in_flight(store: &SharedStore, fleet: &mut Fleet) {
    let participants = Participants::start_knowing_callers().await;
    let gids = hold("orphaned", HELD, &fleet.server(0).client(), &participants).await;
    // Who follows one of them at a server that lives is told all of it, whoever drives.
    let followed = &gids[0];
    let path = format!("/api/tx/{followed}/watch");
    let watcher = fleet.server(1).client().watch(&path, "").await;
    let told_before = takeovers_told(fleet);
    fleet.kill_nine(0);
    let killed = Instant::now();
    // What the participants have begun goes on; whoever called them is gone.
    participants.open("orphaned");
    let client = fleet.client();
    for gid in &gids {
        client.reached(gid, "COMMITTED").await;
    }
    measured(store, "kill -9 to the last end elsewhere", killed.elapsed());
    let told = until("an operator sees a takeover", async || {
        Some(takeovers_told(fleet) - told_before).filter(|told| *told > 0)
    });
    let told = told.await;
    assert!(told < HELD, "by the batch: {told} lines");
    for gid in &gids {
        let calls = participants.ledger().calls(gid);
        assert_eq!(calls, ["one action", "one action", "two action"], "{gid}");
    }
    let told = watcher.all().await.into_iter().map(|told| told.data);
    assert_eq!(told.collect::<Vec<_>>(), client.events(followed).await);
    fleet.start_again(0).await;
    all_are_caused(&participants, fleet.strikes());
}

/// Counts the lines of those who go on.
fn takeovers_told(fleet: &Fleet) -> usize {
    let lines = |index| {
        let output = fleet.server(index).output();
        output.matches("took over transactions").count()
    };
    (1..fleet.len()).map(lines).sum()
}
