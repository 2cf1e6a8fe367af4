//! SIGSTOP beyond the lease: others take over, and what wakes up finds itself fenced.

use std::sync::Arc;

use seata_tests::{Fleet, LEASE, Load, Participants, all_are_caused};

use crate::scene::hold;

const INITIATORS: usize = 4;
const HELD: usize = 15;

pub(crate) async fn beyond_its_lease(fleet: &mut Fleet) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let client = fleet.client();
    let load = Load::start("suspended", INITIATORS, &client, &participants);
    load.more(30).await;
    let gids = hold("held", HELD, &fleet.server(0).client(), &participants).await;
    fleet.suspend(0);
    // The others call the first branches again: the leases are theirs now.
    for gid in &gids {
        participants.delivered(gid, "one", "action", 2).await;
    }
    // The answers to both calls come at once, one of them to a process that sleeps.
    participants.open("held");
    for gid in &gids {
        client.reached(gid, "COMMITTED").await;
    }
    fleet.resume(0);
    // Whatever it still holds it has tried to write by then: its own new work comes behind.
    let woken = fleet.server(0).client();
    let after = hold("after", HELD, &woken, &participants).await;
    participants.open("after");
    for gid in &after {
        woken.reached(gid, "COMMITTED").await;
    }
    tokio::time::sleep(LEASE).await;
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    for gid in &gids {
        let calls = participants.ledger().calls(gid);
        assert_eq!(calls, ["one action", "one action", "two action"], "{gid}");
        assert_eq!(woken.tx(gid).await["status"], "COMMITTED");
    }
    all_are_caused(&participants, fleet.strikes());
}
