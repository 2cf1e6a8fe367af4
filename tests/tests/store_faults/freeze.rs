//! The store's server is suspended: connections stay, and nobody answers.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{
    Client, Fleet, Load, Participants, SharedStore, all_are_caused, measured, saga, until,
};

const INITIATORS: usize = 5;

pub(crate) async fn under_load(store: &SharedStore, fleet: &Fleet) {
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let client = fleet.client();
    let load = Load::start("frozen", INITIATORS, &client, &participants);
    load.more(40).await;
    let strike = fleet.strikes().begin("frozen store", Vec::new());
    store.one().freeze().unwrap();
    let frozen = Instant::now();
    for index in 0..fleet.len() {
        told_so(&fleet.server(index).client(), &participants, index).await;
        if index == 0 {
            measured(store, "freeze to 503 for new work", frozen.elapsed());
        }
    }
    store.one().thaw().unwrap();
    let thawed = Instant::now();
    for index in 0..fleet.len() {
        well(&fleet.server(index).client()).await;
    }
    measured(store, "thaw to all servers well", thawed.elapsed());
    load.more(40).await;
    measured(store, "thaw to 40 transactions taken", thawed.elapsed());
    fleet.strikes().end(strike);
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}

/// New work is answered 503 with when to come again, and so are those who ask whether the server is well. Before a store
/// is known to be away it is slow: what would wait for it for too long gets 429.
async fn told_so(client: &Client, participants: &Participants, index: usize) {
    let whole =
        saga(&format!("new-{index}")).branch("one", participants.url("ok"), participants.url("ok"));
    until(
        &format!("server {index} knows that it is away"),
        async || {
            let refused = client.post("/api/submit", whole.clone()).await;
            assert!([429, 503].contains(&refused.status), "{}", refused.text);
            assert!(
                !refused.header("retry-after").is_empty(),
                "{}",
                refused.text
            );
            (refused.status == 503).then_some(())
        },
    )
    .await;
    for path in ["/readyz", "/health"] {
        until(&format!("{path} of server {index} says so"), async || {
            (client.get(path).await.status == 503).then_some(())
        })
        .await;
    }
}

async fn well(client: &Client) {
    for path in ["/readyz", "/health"] {
        until(&format!("{path} is well again"), async || {
            (client.get(path).await.status == 200).then_some(())
        })
        .await;
    }
}
