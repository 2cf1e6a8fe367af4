//! An operator's way out.

use seata_tests::{Client, Participants, saga, scene};
use serde_json::{Value, json};

/// Brings a saga to where a compensation was refused.
async fn stick(
    client: &Client,
    participants: &Participants,
    gid: &str,
    compensation: &str,
) -> Value {
    let at = |steps: &str| participants.url(steps);
    let whole = saga(gid)
        .branch("zero", at("ok"), at("ok"))
        .branch("one", at("ok"), at(compensation))
        .after(&["zero"])
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .branch("beside", at("ok"), at("ok"))
        .with("wait", true);
    let answer = client.post("/api/submit", whole).await.ok();
    assert_eq!(answer["status"], "stuck");
    answer["transaction"].clone()
}

fn branch<'a>(tx: &'a Value, branch_id: &str) -> &'a Value {
    let branches = tx["branches"].as_array().unwrap();
    let found = branches
        .iter()
        .find(|branch| branch["branch_id"] == branch_id);
    found.unwrap()
}

async fn kinds(client: &Client, gid: &str) -> Vec<String> {
    let events = client.events(gid).await;
    let kinds = events.iter().map(|event| event["kind"].as_str());
    kinds.map(|kind| kind.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_refused_compensation_is_stuck_and_says_why_when_all_else_is_undone() {
    let (mut server, client, participants) = scene().await;
    let tx = stick(&client, &participants, "stuck", "refuse").await;
    assert_eq!(tx["status"], "STUCK");
    assert!(tx["attention"].as_str().unwrap().contains("one"));
    assert!(tx["waiting_for"].as_str().unwrap().contains("operator"));
    assert_eq!(branch(&tx, "beside")["status"], "COMPENSATED");
    assert_eq!(branch(&tx, "zero")["status"], "SUCCEEDED");
    server.kill_nine();
    server.start_again().await;
    let again = client.tx("stuck").await;
    assert_eq!(again["status"], "STUCK");
    assert!(again["waiting_for"].as_str().unwrap().contains("operator"));
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("stuck", "one", "compensation"), 1);
}

#[tokio::test]
async fn an_operator_retries_what_is_stuck_and_it_ends_by_itself() {
    let (_server, client, participants) = scene().await;
    stick(&client, &participants, "again", "first/1/409/no").await;
    let order = json!({ "reason": "account reopened" });
    client.post("/api/tx/again/retry", order).await.ok();
    let tx = client.reached("again", "ABORTED").await;
    assert!(tx["forced"].is_null(), "{tx}");
    assert!(!participants.ledger().remains("again", "one"));
    assert!(!participants.ledger().remains("again", "zero"));
    assert!(
        kinds(&client, "again")
            .await
            .contains(&"retried".to_owned())
    );
}

#[tokio::test]
async fn an_operator_skips_one_operation_and_the_rest_goes_on() {
    let (_server, client, participants) = scene().await;
    stick(&client, &participants, "skips", "refuse").await;
    let order = json!({ "branch_id": "one", "reason": "written off" });
    client.post("/api/tx/skips/skip", order).await.ok();
    let tx = client.reached("skips", "ABORTED").await;
    assert!(tx["forced"].as_str().unwrap().contains("written off"));
    assert_eq!(branch(&tx, "zero")["status"], "COMPENSATED");
    assert!(!participants.ledger().remains("skips", "zero"));
    assert!(
        kinds(&client, "skips")
            .await
            .contains(&"skipped".to_owned())
    );
}

#[tokio::test]
async fn an_operator_forces_the_end_only_to_the_side_that_was_decided() {
    let (_server, client, participants) = scene().await;
    stick(&client, &participants, "force", "refuse").await;
    let wrong = json!({ "to": "committed", "reason": "why not" });
    let answer = client.post("/api/tx/force/force", wrong).await;
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    let order = json!({ "to": "aborted", "reason": "settled by phone" });
    client.post("/api/tx/force/force", order).await.ok();
    let tx = client.reached("force", "ABORTED").await;
    assert!(tx["forced"].as_str().unwrap().contains("settled by phone"));
    assert!(kinds(&client, "force").await.contains(&"forced".to_owned()));
}

#[tokio::test]
async fn an_order_needs_a_reason_a_transaction_and_something_to_do() {
    let (_server, client, participants) = scene().await;
    stick(&client, &participants, "strict", "refuse").await;
    let orders = [
        ("retry", json!({ "branch_id": "one" })),
        ("skip", json!({ "branch_id": "one" })),
        ("force", json!({ "to": "aborted" })),
    ];
    for (order, silent) in orders {
        let path = format!("/api/tx/strict/{order}");
        let answer = client.post(&path, silent.clone()).await;
        answer.refused(400, "INVALID_REQUEST");
        assert_eq!(answer.body["details"]["field"], "reason");
        let mut body = silent;
        body["reason"] = json!("r");
        let path = format!("/api/tx/nobody/{order}");
        let answer = client.post(&path, body.clone()).await;
        answer.refused(404, "TRANSACTION_NOT_FOUND");
        body["brnch_id"] = json!("one");
        let answer = client.post(&format!("/api/tx/strict/{order}"), body).await;
        answer.refused(400, "INVALID_REQUEST");
        assert_eq!(answer.body["details"]["field"], "brnch_id");
    }
    let nobody = json!({ "branch_id": "nobody", "reason": "r" });
    let answer = client.post("/api/tx/strict/skip", nobody).await;
    answer.refused(404, "BRANCH_NOT_FOUND");
    let whole = saga("ended").branch("one", participants.url("ok"), participants.url("ok"));
    client.run(whole).await;
    let answer = client
        .post("/api/tx/ended/retry", json!({ "reason": "r" }))
        .await;
    answer.refused(409, "INVALID_STATUS_TRANSITION");
}
