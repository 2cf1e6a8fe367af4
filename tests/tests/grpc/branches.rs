//! Participants that are called over gRPC, alone and beside others.

use seata_proto::v1;
use seata_tests::{Branch, Tcc, saga};
use serde_json::json;

use crate::scene::{scene, step, whole};

#[tokio::test]
async fn a_saga_with_branches_over_both_wires_commits_or_is_turned_round() {
    let (_server, client, _, participants) = scene().await;
    let (http, grpc) = (
        |steps| participants.url(steps),
        |steps| participants.grpc(steps),
    );
    let silent = "apply/first/1/503/lost/first/2/202/later";
    for (gid, last, end) in [("goes", "ok", "COMMITTED"), ("turns", "refuse", "ABORTED")] {
        let whole = saga(gid)
            .branch("one", http("ok"), http("ok"))
            .branch("two", grpc(silent), grpc("first/1/503/busy"))
            .after(&["one"])
            .branch("three", http("ok"), grpc("ok"))
            .after(&["two"])
            .branch("four", grpc(last), http("ok"))
            .after(&["three"])
            .with("options", json!({ "retry_interval_secs": 0.02 }));
        let tx = client.run(whole).await;
        assert_eq!(tx["status"], end, "{tx}");
    }
    let ledger = participants.ledger();
    for id in ["one", "two", "three"] {
        assert!(ledger.remains("goes", id), "{id}");
        assert!(!ledger.remains("turns", id), "{id}");
        assert_eq!(ledger.delivered("goes", id, "compensation"), 0);
    }
    // Asked again after silence and after "not finished", never after an answer.
    assert_eq!(ledger.delivered("goes", "two", "action"), 3);
    assert_eq!(ledger.delivered("turns", "two", "compensation"), 2);
    assert_eq!(ledger.delivered("turns", "four", "action"), 1);
}

#[tokio::test]
async fn a_tcc_with_branches_over_both_wires_is_confirmed_or_cancelled() {
    let (mut server, client, _, participants) = scene().await;
    for (word, end) in [("confirm", "COMMITTED"), ("cancel", "ABORTED")] {
        let tcc = Tcc::begin(&client, &participants, word).await;
        tcc.tried(Branch::willing("http")).await;
        let body = json!({
            "gid": word,
            "branch_id": "grpc",
            "action": participants.grpc("first/1/503/busy"),
            "confirm": participants.grpc("first/1/503/busy/gate/held"),
            "cancel": participants.grpc("first/1/202/later"),
        });
        let pending = client.post("/api/branch/try", body.clone()).await;
        assert_eq!(pending.status, 202, "{}", pending.text);
        assert!(pending.text.contains("UNAVAILABLE"), "{}", pending.text);
        client.post("/api/branch/try", body).await.ok();
        tcc.of_branch(word, "http", json!({})).await.ok();
        if word == "confirm" {
            participants.arrived("held", 1).await;
            server.kill_nine();
            server.start_again().await;
            participants.open("held");
        }
        tcc.reached(end).await;
        tcc.is_all(word, &["http", "grpc"]);
    }
}

#[tokio::test]
async fn a_refused_try_over_grpc_is_a_refusal_and_a_refused_confirm_is_stuck() {
    let (_server, client, _, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "refused").await;
    let body = |gid: &str, action: &str, confirm: &str| {
        json!({
            "gid": gid,
            "branch_id": "grpc",
            "action": participants.grpc(action),
            "confirm": participants.grpc(confirm),
            "cancel": participants.grpc("ok"),
        })
    };
    let answer = client
        .post("/api/branch/try", body("refused", "say/409/soldout", "ok"))
        .await;
    answer.refused(409, "BRANCH_REFUSED");
    assert!(answer.text.contains("soldout"), "{}", answer.text);
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
    tcc.is_all("cancel", &["grpc"]);

    let tcc = Tcc::begin(&client, &participants, "stuck").await;
    client
        .post("/api/branch/try", body("stuck", "ok", "refuse"))
        .await
        .ok();
    tcc.submit().await.ok();
    tcc.reached("STUCK").await;
    assert_eq!(
        participants.ledger().delivered("stuck", "grpc", "cancel"),
        0
    );
}

#[tokio::test]
async fn a_call_over_grpc_carries_the_payload_as_its_message_and_the_keys_as_metadata() {
    let (_server, _, mut rpc, participants) = scene().await;
    let data = b"\x00\xff any bytes".to_vec();
    let mut branch = v1::BranchDefinition {
        payload: Some(v1::Payload {
            data: data.clone().into(),
            content_type: "application/x-own".to_owned(),
        }),
        ..step("one", participants.grpc("ok"), participants.grpc("ok"))
    };
    branch
        .headers
        .insert("x-tenant".to_owned(), "blue".to_owned());
    let ended = rpc
        .submit(whole("carried", vec![branch]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(ended.progress(), v1::Progress::Committed);
    let deliveries = participants.ledger().of("carried");
    let [delivery] = deliveries.as_slice() else {
        panic!("{deliveries:?}")
    };
    assert_eq!(delivery.body, data);
    for (name, value) in [
        ("seata-gid", "carried"),
        ("seata-branch-id", "one"),
        ("seata-operation", "action"),
        ("seata-attempt", "1"),
        ("idempotency-key", "carried/one/action"),
        ("x-tenant", "blue"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        assert_eq!(delivery.header(name), value, "{name}");
    }
    assert!(!delivery.header("traceparent").is_empty());
}
