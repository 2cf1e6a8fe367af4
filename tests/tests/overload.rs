//! What happens when more comes than fits: a clear answer, and nothing that was accepted is lost.
#![allow(clippy::unwrap_used, reason = "tests")]

use futures_util::{StreamExt, stream};
use seata_tests::{Client, Participants, Setup, saga, scene_with, until};
use serde_json::json;

/// Submits sagas that a gate holds, so many at a time, and answers which were accepted and which were not.
async fn flood(
    client: &Client,
    participants: &Participants,
    gids: impl Iterator<Item = String>,
    at_once: usize,
) -> (Vec<String>, Vec<String>) {
    let answers: Vec<_> = stream::iter(gids)
        .map(|gid| async {
            let whole = saga(&gid)
                .branch(
                    "one",
                    participants.url("gate/flood"),
                    participants.url("ok"),
                )
                .with("options", json!({ "request_timeout_secs": 600 }));
            (client.post("/api/submit", whole).await, gid)
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    let (mut accepted, mut turned_away) = (Vec::new(), Vec::new());
    for (answer, gid) in answers {
        if answer.status == 200 {
            accepted.push(gid);
        } else {
            answer.refused(429, "OVERLOADED");
            let wait: u32 = answer.header("retry-after").parse().unwrap();
            assert!(wait >= 1);
            turned_away.push(gid);
        }
    }
    (accepted, turned_away)
}

#[tokio::test]
async fn a_full_server_says_429_and_loses_nothing_that_it_accepted() {
    let setup = Setup::new().with("SEATA_ACTIVE_MAX", 20);
    let (mut server, client, participants) = scene_with(setup).await;
    let gids = (0..100).map(|number| format!("flood-{number}"));
    let (accepted, turned_away) = flood(&client, &participants, gids, 8).await;
    assert!(!accepted.is_empty() && !turned_away.is_empty());
    for gid in &turned_away {
        let answer = client.get(&format!("/api/tx/{gid}")).await;
        answer.refused(404, "TRANSACTION_NOT_FOUND");
    }
    // Full or not, it answers whoever looks after it.
    assert_eq!(client.get("/health").await.status, 200);
    server.kill_nine();
    server.start_again().await;
    participants.open("flood");
    client.all_ended().await;
    for gid in &accepted {
        assert_eq!(client.tx(gid).await["status"], "COMMITTED", "{gid}");
    }
    for gid in &turned_away {
        assert_eq!(participants.ledger().calls(gid), [""; 0], "{gid}");
    }
    // There is room again.
    let again = turned_away[0].clone();
    let whole = saga(&again).branch("one", participants.url("ok"), participants.url("ok"));
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
}

/// Floods a server with sagas that nobody answers, finds it in reach all the same, and answers how many it accepted and
/// how many it turned away.
async fn port_stays_reachable(setup: Setup, sagas: usize) -> (usize, usize) {
    let (_server, client, participants) = scene_with(setup).await;
    let gids = (0..sagas).map(|number| format!("slow-{number}"));
    let (accepted, turned_away) = flood(&client, &participants, gids, 24).await;
    for _ in 0..20 {
        assert_eq!(client.another().get("/health").await.status, 200);
        assert_eq!(client.another().get("/api/tx").await.status, 200);
    }
    participants.open("flood");
    client.all_ended().await;
    for gid in &accepted {
        assert_eq!(participants.ledger().delivered(gid, "one", "action"), 1);
        assert!(participants.ledger().remains(gid, "one"), "{gid}");
    }
    (accepted.len(), turned_away.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_thousand_slow_sagas_under_1024_descriptors_leave_the_port_reachable() {
    let setup = Setup::new().open_files_max(1_024);
    // By default there is room for all of them; they wait for their calls.
    assert_eq!(port_stays_reachable(setup, 8_000).await, (8_000, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_slow_sagas_than_fit_under_few_descriptors_leave_the_port_reachable() {
    let setup = Setup::new()
        .with("SEATA_ACTIVE_MAX", 1_000)
        .open_files_max(256);
    let (accepted, turned_away) = port_stays_reachable(setup, 4_000).await;
    assert!(accepted >= 500 && turned_away > 0);
}

#[tokio::test]
async fn more_connections_than_descriptors_do_not_lock_out_whoever_comes_later() {
    let setup = Setup::new().open_files_max(128);
    let (_server, client, _participants) = scene_with(setup).await;
    // Each client keeps its connection open after its answer.
    let crowd: Vec<Client> = (0..300).map(|_| client.another()).collect();
    let mut served = 0;
    for one in &crowd {
        if let Ok(answer) = one.send(http::Method::GET, "/health", None, "").await {
            assert!(matches!(answer.status, 200 | 429), "{}", answer.text);
            served += usize::from(answer.status == 200);
        }
    }
    assert!(served > 0);
    drop(crowd);
    let late = client.another();
    until("there is room again", async || {
        let answer = late.send(http::Method::GET, "/health", None, "").await;
        answer.ok().filter(|answer| answer.status == 200)
    })
    .await;
}
