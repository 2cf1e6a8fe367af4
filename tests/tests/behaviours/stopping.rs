//! How the server stops when it is asked to, and what becomes of what is under way.

use seata_tests::{Client, Participants, Saga, Server, Setup, saga, scene_with};
use serde_json::json;

type Ask = fn(&Server);

/// Longer than any test has patience: nobody could mistake the end of a span for the end of a wait.
const AGE_SECS: u32 = 3_600;

fn patient() -> Setup {
    Setup::new()
        .with("SEATA_GRACE_SECS", AGE_SECS)
        .with("SEATA_LEASE_SECS", AGE_SECS)
        .with("SEATA_LOG", "info")
}

/// Writes a saga of two branches, of which a gate holds the first.
fn held(participants: &Participants) -> Saga {
    let at = |steps: &str| participants.url(steps);
    saga("held")
        .branch("one", at("gate/held"), at("ok"))
        .branch("two", at("ok"), at("ok"))
        .after(&["one"])
        .with("options", json!({ "request_timeout_secs": AGE_SECS }))
}

async fn hold(client: &Client, participants: &Participants) {
    client.submit(held(participants)).await;
    participants.arrived("held", 1).await;
}

#[tokio::test]
async fn either_signal_lets_the_call_in_flight_end_and_the_next_start_goes_on_behind_it() {
    for ask in [Server::terminate as Ask, Server::interrupt] {
        let (mut server, client, participants) = scene_with(patient()).await;
        hold(&client, &participants).await;
        ask(&server);
        server.printed("stopping").await;
        participants.open("held");
        assert_eq!(server.ended().await.code(), Some(0));
        server.start_again().await;
        client.reached("held", "COMMITTED").await;
        let calls = participants.ledger().calls("held");
        assert_eq!(calls, ["one action", "two action"]);
    }
}

#[tokio::test]
async fn until_the_last_call_has_ended_whoever_comes_is_told_that_the_server_stops() {
    let (mut server, client, participants) = scene_with(patient()).await;
    hold(&client, &participants).await;
    server.terminate();
    server.printed("stopping").await;
    // On a connection of its own: an idle one may be closed just now.
    let client = client.another();
    client.get("/readyz").await.refused(503, "STOPPING");
    assert_eq!(client.get("/livez").await.status, 200);
    let more = saga("more").branch_without_compensation("one", participants.url("ok"));
    client
        .post("/api/submit", more)
        .await
        .refused(503, "STOPPING");
    participants.open("held");
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn whoever_waits_for_an_end_when_the_server_stops_is_told_that_it_is_pending() {
    let (mut server, client, participants) = scene_with(patient()).await;
    let whole = held(&participants).with("wait", true);
    let waits = tokio::spawn(async move { client.post("/api/submit", whole).await });
    participants.arrived("held", 1).await;
    server.terminate();
    let answer = waits.await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.body["status"], "pending");
    assert_eq!(answer.body["transaction"]["status"], "SUBMITTED");
    participants.open("held");
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once_and_what_was_open_goes_on_at_the_next_start() {
    let pairs: [(Ask, Ask); 3] = [
        (Server::terminate, Server::terminate),
        (Server::terminate, Server::interrupt),
        (Server::interrupt, Server::interrupt),
    ];
    for (first, second) in pairs {
        let (mut server, client, participants) = scene_with(patient()).await;
        hold(&client, &participants).await;
        first(&server);
        server.printed("stopping").await;
        second(&server);
        // The call is still held, and its limit and the grace time are far away.
        assert_eq!(server.ended().await.code(), Some(1));
        assert_eq!(participants.at_gate("held"), 1);
        let output = server.output();
        assert!(output.contains("a second time"), "{output}");
        server.start_again().await;
        participants.delivered("held", "one", "action", 2).await;
        participants.open("held");
        client.reached("held", "COMMITTED").await;
    }
}
