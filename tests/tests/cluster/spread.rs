//! The requests of one transaction over HTTP, each to the next server.

use seata_tests::{Branch, Client, Fleet, Participants, Strikes, Tcc, all_are_caused, saga};
use serde_json::{Value, json};

pub(crate) async fn to_any_server_over_http(fleet: &Fleet) {
    let participants = Participants::start_knowing_callers().await;
    let client = fleet.client();
    // So often that each request meets each server, with another one driving.
    for round in 0..fleet.len() {
        let at = |name: &str| format!("{name}-{round}");
        saga_step_by_step(&client, &participants, &at("steps")).await;
        saga_in_one(&client, &participants, &at("one")).await;
        saga_aborted(&client, &participants, &at("aborted")).await;
        tcc_confirmed(&client, &participants, &at("confirmed")).await;
        tcc_cancelled(&client, &participants, &at("cancelled")).await;
        // One more request: the next round begins at another server.
        client.get("/api/tx").await.ok();
    }
    all_are_caused(&participants, &Strikes::default());
}

async fn saga_step_by_step(client: &Client, participants: &Participants, gid: &str) {
    client.post("/api/start", json!({ "gid": gid })).await.ok();
    let mut watcher = client.watch(&format!("/api/tx/{gid}/watch"), "").await;
    for (name, after) in [("one", json!([])), ("two", json!(["one"]))] {
        let branch = json!({
            "gid": gid,
            "branch_id": name,
            "action": participants.url("ok"),
            "compensation": participants.url("ok"),
            "after": after,
        });
        client.post("/api/branch/add", branch).await.ok();
    }
    let submit = json!({ "gid": gid, "wait": 60 });
    let submitted = client.post("/api/submit", submit).await.ok();
    assert_eq!(submitted["status"], "committed");
    assert_eq!(client.tx(gid).await["status"], "COMMITTED");
    assert_eq!(
        participants.ledger().calls(gid),
        ["one action", "two action"]
    );
    let kinds = seata_tests::kinds(client, gid).await;
    // Another server tells the same story, as it happens.
    let mut seen = Vec::new();
    while let Some(told) = watcher.next().await {
        if let Some(kind) = told.data["kind"].as_str() {
            seen.push(kind.to_owned());
        }
    }
    assert_eq!(seen, kinds);
    let again = client.post("/api/submit", json!({ "gid": gid })).await;
    assert_eq!(again.status, 200, "{}", again.text);
}

async fn saga_in_one(client: &Client, participants: &Participants, gid: &str) {
    let whole = saga(gid)
        .branch("one", participants.url("delay/300"), participants.url("ok"))
        .branch("two", participants.url("refuse"), participants.url("ok"))
        .after(&["one"]);
    client.submit(whole.clone()).await;
    // The same again, to another server, which waits for an end that it does not bring about.
    let waiting: Value = whole.with("wait", 60).into();
    let answer = client.post("/api/submit", waiting).await.ok();
    assert_eq!(answer["status"], "aborted");
    assert!(!participants.ledger().remains(gid, "one"));
}

async fn saga_aborted(client: &Client, participants: &Participants, gid: &str) {
    let gate = format!("gate/{gid}");
    let whole = saga(gid)
        .branch("one", participants.url(&gate), participants.url("ok"))
        .branch("two", participants.url("ok"), participants.url("ok"))
        .after(&["one"]);
    client.submit(whole).await;
    participants.arrived(gid, 1).await;
    let aborted = client.post("/api/abort", json!({ "gid": gid })).await.ok();
    assert_eq!(aborted["transaction_status"], "ABORTING");
    participants.open(gid);
    client.reached(gid, "ABORTED").await;
    let calls = participants.ledger().calls(gid);
    assert_eq!(calls, ["one action", "one compensation"]);
}

async fn tcc_confirmed(client: &Client, participants: &Participants, gid: &str) {
    let tcc = Tcc::begin(client, participants, gid).await;
    tcc.tried(Branch::willing("one")).await;
    tcc.registered(Branch::willing("two")).await;
    let succeeded = json!({ "operation": "try" });
    tcc.of_branch("succeed", "two", succeeded).await.ok();
    tcc.of_branch("confirm", "two", json!({})).await.ok();
    tcc.reached("COMMITTED").await;
    tcc.is_all("confirm", &["one", "two"]);
}

async fn tcc_cancelled(client: &Client, participants: &Participants, gid: &str) {
    let tcc = Tcc::begin(client, participants, gid).await;
    tcc.tried(Branch::willing("one")).await;
    let refused = Branch {
        try_: "refuse",
        ..Branch::willing("two")
    };
    tcc.attempt(refused).await.refused(409, "BRANCH_REFUSED");
    assert_eq!(tcc.abort().await.status, 200);
    tcc.reached("ABORTED").await;
    tcc.is_all("cancel", &["one", "two"]);
}
