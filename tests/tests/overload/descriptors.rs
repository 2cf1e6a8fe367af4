//! Few files and sockets may be open.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use seata_tests::{Client, Participants, Setup, scene_with, until};

use crate::{flood, is_in_reach, is_later, one_branch};

/// Floods a server with sagas that nobody answers, finds it in reach all the same, and answers how many it accepted and
/// how many it turned away.
async fn port_stays_reachable(setup: Setup, sagas: usize) -> (usize, usize) {
    let (_server, client, participants) = scene_with(setup).await;
    let gids = (0..sagas).map(|number| format!("slow-{number}"));
    let flooded = flood(&client, &participants.url("gate/flood"), gids, 24).await;
    for _ in 0..20 {
        is_in_reach(&client).await;
        // Connections that were closed a moment ago may still have their places.
        until("a new connection is served", async || {
            let answer = client.another().get("/api/tx").await;
            if answer.status != 200 {
                is_later(&answer);
                assert!(answer.text.contains("connections"), "{}", answer.text);
                return None;
            }
            Some(())
        })
        .await;
    }
    participants.open("flood");
    client.all_ended().await;
    for gid in &flooded.accepted {
        assert_eq!(participants.ledger().delivered(gid, "one", "action"), 1);
        assert!(participants.ledger().remains(gid, "one"), "{gid}");
    }
    (flooded.accepted.len(), flooded.turned_away.len())
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

/// Submits until it is accepted; answers how often it was turned away before. A connection that the server closes is
/// replaced by another.
async fn insist(client: &Client, gid: String, action: &str) -> usize {
    let whole = one_branch(&gid, action.to_owned()).into();
    let mut turned_away = 0;
    until(&format!("{gid} is accepted"), async || {
        match client.try_post("/api/submit", &whole).await {
            Ok(answer) if answer.status == 200 => return Some(()),
            Ok(answer) if answer.status == 503 => {}
            Ok(answer) => {
                is_later(&answer);
                turned_away += 1;
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        None
    })
    .await;
    turned_away
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_clients_than_descriptors_submit_slow_sagas_and_a_fast_one_ends_meanwhile() {
    const SAGAS: usize = 1_000;
    let (_server, client, slow) = scene_with(Setup::new().open_files_max(256)).await;
    let fast = Participants::start().await;
    let crowd: Vec<Client> = (0..200).map(|_| client.another()).collect();
    let action = slow.url("gate/flood");
    let turned_away: usize = stream::iter(0..SAGAS)
        .map(|number| {
            let client = &crowd[number % crowd.len()];
            insist(client, format!("slow-{number}"), &action)
        })
        .buffer_unordered(crowd.len())
        .fold(0, async |sum, count| sum + count)
        .await;
    assert!(turned_away > 0, "there was a place for every connection");
    is_in_reach(&client).await;
    let late = client.another();
    insist(&late, "fast".to_owned(), &fast.url("ok")).await;
    until("the fast one has ended", async || {
        let answer = late.send(http::Method::GET, "/api/tx/fast", None, "").await;
        let ended = answer.is_ok_and(|answer| answer.body["status"] == "COMMITTED");
        ended.then_some(())
    })
    .await;
    drop(crowd);
    slow.open("flood");
    let after = client.another();
    until("every transaction has ended", async || {
        let open = "/api/tx?limit=1&status=PREPARED,SUBMITTED,ABORTING,STUCK";
        let answer = after.send(http::Method::GET, open, None, "").await;
        let none = answer.is_ok_and(|answer| answer.status == 200 && answer.text.trim() == "[]");
        none.then_some(())
    })
    .await;
    for number in 0..SAGAS {
        let gid = format!("slow-{number}");
        assert_eq!(slow.ledger().delivered(&gid, "one", "action"), 1, "{gid}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_kept_to_many_participants_leave_descriptors_to_the_rest() {
    const AT_ONCE: usize = 20;
    let (server, client, _) = scene_with(Setup::new().open_files_max(128)).await;
    let mut all = Vec::new();
    for number in 0..12 {
        let participants = Participants::start().await;
        let gids = (0..AT_ONCE).map(|saga| format!("to-{number}-{saga}"));
        let flooded = flood(&client, &participants.url("gate/all"), gids, 4).await;
        assert_eq!(flooded.accepted.len(), AT_ONCE);
        // All at the same time: each on a connection of its own, which is kept for the next call.
        participants.arrived("all", AT_ONCE).await;
        participants.open("all");
        participants.quiet().await;
        all.push((participants, flooded));
    }
    is_in_reach(&client).await;
    client.all_ended().await;
    for (participants, flooded) in all {
        flooded.ended_as_answered(&client, &participants).await;
    }
    // No connection failed, and nobody was kept waiting for one.
    let printed = server.output();
    assert!(!printed.contains("Too many open files"), "{printed}");
    let metrics = client.get("/metrics").await.text;
    let unknown = metrics.lines().any(|line| {
        line.starts_with("seata_branch_attempts_total")
            && line.contains("outcome=\"unknown\"")
            && !line.ends_with(" 0")
    });
    assert!(!unknown, "{metrics}");
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
