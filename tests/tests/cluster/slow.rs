//! PEERS 4: a call that takes longer than a lease is no reason to make it again.

use seata_tests::{Fleet, LEASE, Participants, Strikes, all_are_caused, saga};
use serde_json::json;

pub(crate) async fn a_call_longer_than_a_lease(fleet: &Fleet) {
    let participants = Participants::start_knowing_callers().await;
    let slow = format!("delay/{}", LEASE.as_millis() * 5 / 2);
    let gids: Vec<String> = (0..6).map(|number| format!("slow-{number}")).collect();
    for (number, gid) in gids.iter().enumerate() {
        let client = fleet.server(number % fleet.len()).client();
        let whole = saga(gid)
            .branch("one", participants.url(&slow), participants.url("ok"))
            .branch("two", participants.url("ok"), participants.url("ok"))
            .after(&["one"])
            .with("options", json!({ "request_timeout_secs": 60 }));
        client.submit(whole).await;
    }
    let client = fleet.server(0).client();
    for gid in &gids {
        client.reached(gid, "COMMITTED").await;
        let calls = participants.ledger().calls(gid);
        assert_eq!(calls, ["one action", "two action"], "{gid}");
    }
    all_are_caused(&participants, &Strikes::default());
}
