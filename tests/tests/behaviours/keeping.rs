//! What is kept, how long, and what happens when there is no room for more.

use seata_tests::{Setup, saga, scene_with, until};
use serde_json::{Value, json};

#[tokio::test]
async fn what_ended_longer_ago_than_the_retention_disappears_and_what_is_open_stays() {
    let setup = Setup::new().with("SEATA_RETENTION_SECS", 1);
    let (mut server, client, participants) = scene_with(setup).await;
    let at = |steps: &str| participants.url(steps);
    // The open ones are older than the ended ones, and their names begin with those.
    let held: Value = saga("a-held")
        .branch("one", at("gate/held"), at("ok"))
        .with("options", json!({ "request_timeout_secs": 600 }))
        .into();
    client.submit(held.clone()).await;
    let stuck = saga("a-stuck")
        .branch("one", at("ok"), at("refuse"))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"]);
    client.submit(stuck).await;
    client.reached("a-stuck", "STUCK").await;
    let prepared = json!({ "gid": "a-prepared", "options": { "prepared_timeout_secs": 600 } });
    client.post("/api/start", prepared).await.ok();
    let committed = saga("a").branch("one", at("ok"), at("ok"));
    let aborted = saga("b").branch("one", at("refuse"), at("ok"));
    assert_eq!(client.run(committed).await["status"], "COMMITTED");
    assert_eq!(client.run(aborted).await["status"], "ABORTED");
    for gid in ["a", "b"] {
        until(&format!("{gid} is purged"), async || {
            let answer = client.get(&format!("/api/tx/{gid}")).await;
            (answer.status == 404).then_some(())
        })
        .await;
        let events = client.get(&format!("/api/tx/{gid}/events")).await;
        events.refused(404, "TRANSACTION_NOT_FOUND");
    }
    server.kill_nine();
    server.start_again().await;
    let listed = client.get("/api/tx").await.ok();
    let gids = listed.as_array().unwrap().iter().map(|tx| &tx["gid"]);
    assert_eq!(
        gids.collect::<Vec<_>>(),
        ["a-prepared", "a-stuck", "a-held"]
    );
    for (gid, status) in [
        ("a-held", "SUBMITTED"),
        ("a-stuck", "STUCK"),
        ("a-prepared", "PREPARED"),
    ] {
        assert_eq!(client.tx(gid).await["status"], status);
        assert!(!client.events(gid).await.is_empty());
    }
    // Its content went with it.
    let other = saga("a").branch("other", at("ok"), at("ok"));
    assert_eq!(client.run(other).await["status"], "COMMITTED");
    participants.open("held");
    assert_eq!(client.run(held).await["status"], "COMMITTED");
}

#[tokio::test]
async fn a_disk_with_little_room_turns_new_work_away_while_open_work_goes_on() {
    little_room_turns_new_work_away("embedded").await;
}

#[tokio::test]
async fn a_disk_with_little_room_under_sled_turns_new_work_away_while_open_work_goes_on() {
    little_room_turns_new_work_away("sled").await;
}

async fn little_room_turns_new_work_away(store: &str) {
    let setup = Setup::new().with("SEATA_STORE", store);
    let (mut server, client, participants) = scene_with(setup).await;
    let at = |steps: &str| participants.url(steps);
    let held = saga("held")
        .branch("one", at("gate/held"), at("ok"))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.submit(held).await;
    let prepared = json!({ "gid": "prepared", "options": { "prepared_timeout_secs": 600 } });
    client.post("/api/start", prepared).await.ok();
    server.kill_nine();
    // No disk has so much room.
    let low = server.setup().clone();
    let low = low.with("SEATA_DISK_FREE_MIN_BYTES", u64::MAX);
    let mut server = low.start().await;
    let client = server.client();
    let mut number = 0;
    until("new work is turned away", async || {
        number += 1;
        let whole = saga(&format!("new-{number}")).branch("one", at("ok"), at("ok"));
        let answer = client.post("/api/submit", whole).await;
        (answer.status != 200).then(|| answer.refused(503, "STORE_FULL"))
    })
    .await;
    for path in ["/api/submit", "/api/start"] {
        let whole = saga("new").branch("one", at("ok"), at("ok"));
        let answer = client.post(path, whole).await;
        answer.refused(503, "STORE_FULL");
        assert_eq!(answer.body["details"]["gid"], "new");
        let wait: u32 = answer.header("retry-after").parse().unwrap();
        assert!(wait >= 1);
    }
    let answer = client.get("/api/tx/new").await;
    answer.refused(404, "TRANSACTION_NOT_FOUND");
    assert_eq!(participants.ledger().calls("new"), [""; 0]);
    // What is open is called, grows, is submitted and ends.
    participants.open("held");
    client.reached("held", "ABORTED").await;
    assert!(!participants.ledger().remains("held", "one"));
    let branch = json!({ "gid": "prepared", "branch_id": "one", "action": at("ok") });
    client.post("/api/branch/add", branch).await.ok();
    let submit = json!({ "gid": "prepared", "wait": true });
    let answer = client.post("/api/submit", submit).await.ok();
    assert_eq!(answer["status"], "committed");
    assert!(participants.ledger().remains("prepared", "one"));
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    // With room again, there is a place for what was turned away.
    let server = server.setup().clone().with("SEATA_DISK_FREE_MIN_BYTES", 0);
    let server = server.start().await;
    let whole = saga("new").branch("one", at("ok"), at("ok"));
    assert_eq!(server.client().run(whole).await["status"], "COMMITTED");
}
