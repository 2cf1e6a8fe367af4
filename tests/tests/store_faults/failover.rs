//! A master of a Redis Cluster dies, its replica takes its place, and it comes back as a replica.

use std::sync::Arc;
use std::time::Instant;

use seata_tests::{
    Client, Fleet, Load, Participants, SharedStore, all_are_caused, measured, saga, until,
};

const INITIATORS: usize = 5;
const BETWEEN: usize = 40;
/// So many gids that each part of the slots has some.
const PROBES: usize = 24;

pub(crate) async fn under_load(store: &SharedStore) {
    store.cluster().promote_soon().unwrap();
    let participants = Arc::new(Participants::start_knowing_callers().await);
    let fleet = Fleet::start(store).await;
    let client = fleet.client();
    let load = Load::start("load", INITIATORS, &client, &participants);
    for part in 0..2 {
        load.more(BETWEEN).await;
        let strike = fleet.strikes().begin("failover", Vec::new());
        // What was acknowledged a moment ago is at the replica too: Redis itself promises no more than that.
        let cluster = store.clone();
        let killing =
            tokio::task::spawn_blocking(move || cluster.cluster().kill_master(part).unwrap());
        let node = killing.await.unwrap();
        let killed = Instant::now();
        let cluster = store.clone();
        let failover = tokio::task::spawn_blocking(move || {
            cluster.cluster().await_whole().unwrap();
            Instant::now()
        });
        taken_in_every_slot(&client, &participants, part).await;
        let taken = killed.elapsed();
        let served = failover.await.unwrap().duration_since(killed);
        measured(store, "death of a master to all slots served", served);
        measured(
            store,
            "death of a master to new work taken in every slot",
            taken,
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

async fn taken_in_every_slot(client: &Client, participants: &Participants, part: usize) {
    for number in 0..PROBES {
        let gid = format!("probe-{part}-{number}");
        let ok = || participants.url("ok");
        let whole = saga(&gid).branch("one", ok(), ok()).into();
        until(&format!("{gid} is taken"), async || {
            let answer = client.try_post("/api/submit", &whole).await;
            answer
                .is_ok_and(|answer| answer.status == 200)
                .then_some(())
        })
        .await;
    }
}
