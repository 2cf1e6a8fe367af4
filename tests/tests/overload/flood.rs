//! More requests than the server takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use seata_tests::{Client, Setup, saga, scene_with};

use crate::{Flooded, flood, is_in_reach, is_later, one_branch};

#[tokio::test]
async fn a_full_server_says_429_and_loses_nothing_that_it_accepted() {
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 20);
    let (mut server, client, participants) = scene_with(setup).await;
    let gids = (0..100).map(|number| format!("flood-{number}"));
    let flooded = flood(&client, &participants.url("gate/flood"), gids, 8).await;
    assert!(!flooded.accepted.is_empty() && !flooded.turned_away.is_empty());
    for gid in &flooded.turned_away {
        let answer = client.get(&format!("/api/tx/{gid}")).await;
        answer.refused(404, "TRANSACTION_NOT_FOUND");
    }
    // Full or not, it answers whoever looks after it.
    assert_eq!(client.get("/health").await.status, 200);
    // What is known needs no room.
    let known = flooded.accepted.first().unwrap();
    client
        .submit(one_branch(known, participants.url("gate/flood")))
        .await;
    server.kill_nine();
    server.start_again().await;
    participants.open("flood");
    client.all_ended().await;
    for gid in &flooded.accepted {
        assert_eq!(client.tx(gid).await["status"], "COMMITTED", "{gid}");
    }
    for gid in &flooded.turned_away {
        assert_eq!(participants.ledger().calls(gid), [""; 0], "{gid}");
    }
    // There is room again.
    let again = flooded.turned_away.first().unwrap();
    let whole = saga(again).branch("one", participants.url("ok"), participants.url("ok"));
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
}

const CONNECTIONS: usize = 200;
const EACH: usize = 10;

/// Sends one submission after the other on a connection of its own, and never pauses.
async fn insist(client: Client, lane: usize, action: String) -> Flooded {
    let mut flooded = Flooded::default();
    for number in 0..EACH {
        let gid = format!("flood-{lane}-{number}");
        flooded.submit(&client, gid, &action).await;
    }
    flooded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_clients_that_never_pause_get_200_or_429_and_each_answer_is_true() {
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 40);
    let (_server, client, participants) = scene_with(setup).await;
    let over = Arc::new(AtomicBool::new(false));
    let looking = tokio::spawn({
        let (client, over) = (client.clone(), Arc::clone(&over));
        async move {
            while !over.load(Ordering::Relaxed) {
                is_in_reach(&client).await;
            }
        }
    });
    let lanes = (0..CONNECTIONS).map(|lane| {
        let action = participants.url("delay/5");
        tokio::spawn(insist(client.another(), lane, action))
    });
    let mut all = Flooded::default();
    for lane in join_all(lanes).await {
        all.add(lane.unwrap());
    }
    over.store(true, Ordering::Relaxed);
    looking.await.unwrap();
    assert!(!all.accepted.is_empty() && !all.turned_away.is_empty());
    all.ended_as_answered(&client, &participants).await;
}

#[tokio::test]
async fn a_flood_of_requests_holds_up_no_due_work() {
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 16);
    let (_server, client, participants) = scene_with(setup).await;
    let due = one_branch("due", participants.url("first/2/503/later")).with(
        "options",
        serde_json::json!({ "retry_interval_secs": 3, "retry_interval_max_secs": 3 }),
    );
    client.submit(due).await;
    participants.delivered("due", "one", "action", 1).await;
    let gids = (0..40).map(|number| format!("flood-{number}"));
    let flooded = flood(&client, &participants.url("gate/flood"), gids, 8).await;
    assert!(!flooded.turned_away.is_empty());
    // The gate is shut, and it ends all the same.
    client.reached("due", "COMMITTED").await;
    participants.open("flood");
    client.all_ended().await;
}

#[tokio::test]
async fn each_bound_is_told_by_its_name() {
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 8);
    let (_server, client, participants) = scene_with(setup).await;
    let gids = (0..8).map(|number| format!("flood-{number}"));
    flood(&client, &participants.url("gate/flood"), gids, 1).await;
    let refused = client
        .post("/api/submit", one_branch("late", participants.url("ok")))
        .await;
    is_later(&refused);
    let text = refused.body["error"].as_str().unwrap();
    assert!(text.contains("memory for active transactions"), "{text}");
    participants.open("flood");
    client.all_ended().await;
}
