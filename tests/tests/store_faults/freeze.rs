//! The store's server is suspended: connections stay, and nobody answers.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{Client, Fleet, Load, Participants, SharedStore, all_are_caused, saga, until};

const INITIATORS: usize = 5;

pub(crate) async fn a_frozen_store_is_said_at_once_and_everything_goes_on_when_it_thaws(
    store: SharedStore,
) {
    let participants = Arc::new(Participants::start().await);
    let fleet = Fleet::start(&store).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    load.more(40).await;
    let strike = fleet.strikes().begin("frozen store", Vec::new());
    store.one().freeze().unwrap();
    let frozen = Instant::now();
    for index in 0..fleet.len() {
        told_so(&fleet.server(index).client(), &participants, index).await;
    }
    let said = frozen.elapsed();
    let kind = store.kind().as_str();
    eprintln!("measured on {kind}: three servers, one after another, said 503 within {said:?}");
    store.one().thaw().unwrap();
    let thawed = Instant::now();
    for index in 0..fleet.len() {
        well(&fleet.server(index).client()).await;
    }
    load.more(40).await;
    eprintln!(
        "measured on {kind}: 40 transactions done {:?} after it thawed",
        thawed.elapsed()
    );
    fleet.strikes().end(strike);
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}

/// New work is answered 503 with when to come again, and so are those who ask whether the server is well.
async fn told_so(client: &Client, participants: &Participants, index: usize) {
    let asked = Instant::now();
    let whole =
        saga(&format!("new-{index}")).branch("one", participants.url("ok"), participants.url("ok"));
    let refused = client.post("/api/submit", whole).await;
    eprintln!(
        "new work was answered {} after {:?}",
        refused.status,
        asked.elapsed()
    );
    assert_eq!(refused.status, 503, "{}", refused.text);
    assert!(
        !refused.header("retry-after").is_empty(),
        "{}",
        refused.text
    );
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
