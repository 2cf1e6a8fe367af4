//! SIGTERM: leases are given back, so that others need not wait for their end.

use std::time::Instant;

use seata_tests::{Fleet, Participants, Setup, SharedStore, all_are_caused, measured};

use crate::scene::hold;

const HELD: usize = 20;

pub(crate) async fn at_a_stop(store: &SharedStore) {
    let participants = Participants::start_knowing_callers().await;
    let mut servers = Vec::new();
    for _ in 0..3 {
        // Nobody has patience until such a lease has passed.
        let setup = Setup::new().with("SEATA_LEASE_SECS", 3_600);
        let setup = store.used_by(setup).with("SEATA_LOG", "info");
        servers.push(setup.start().await);
    }
    let mut fleet = Fleet::of(servers).await;
    let gids = hold("handed", HELD, &fleet.server(0).client(), &participants).await;
    fleet.terminate(0);
    fleet.server(0).printed("stopping").await;
    // The calls in flight end while it stops; what follows from them is for the others.
    participants.open("handed");
    fleet.ended(0).await;
    let ended = Instant::now();
    let client = fleet.client();
    for gid in &gids {
        client.reached(gid, "COMMITTED").await;
    }
    measured(
        store,
        "end after SIGTERM to the last end elsewhere",
        ended.elapsed(),
    );
    for gid in &gids {
        let calls = participants.ledger().calls(gid);
        assert_eq!(calls, ["one action", "two action"], "{gid}");
    }
    all_are_caused(&participants, &seata_tests::Strikes::default());
}
