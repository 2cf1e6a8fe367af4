//! A master of a Redis Cluster dies, its replica takes its place, and it comes back as a replica.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{Fleet, Load, Participants, SharedStore, all_are_caused, measured};

const INITIATORS: usize = 5;
const BETWEEN: usize = 40;

pub(crate) async fn under_load(store: &SharedStore) {
    let participants = Arc::new(Participants::start().await);
    let fleet = Fleet::start(store).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    for part in 0..2 {
        load.more(BETWEEN).await;
        let strike = fleet.strikes().begin("failover", Vec::new());
        // What was acknowledged a moment ago is at the replica too: Redis itself promises no more than that.
        let cluster = store.clone();
        let killed = Instant::now();
        let failover = tokio::task::spawn_blocking(move || {
            let cluster = cluster.cluster();
            let node = cluster.kill_master(part).unwrap();
            cluster.await_whole().unwrap();
            node
        });
        let node = failover.await.unwrap();
        measured(
            store,
            "death of a master to all slots served",
            killed.elapsed(),
        );
        load.more(BETWEEN).await;
        let cluster = store.clone();
        let back = tokio::task::spawn_blocking(move || {
            cluster.cluster().node(node).start_again().unwrap();
            cluster.cluster().await_replicas().unwrap();
        });
        back.await.unwrap();
        fleet.strikes().end(strike);
    }
    load.more(BETWEEN).await;
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
    all_are_caused(&participants, fleet.strikes());
}
