//! Completion from outside: branches that answered "not finished", and what they are told later.

use seata_tests::{Branch, Client, Participants, Tcc, branch_of, saga, scene};
use serde_json::{Value, json};

/// A participant that never finishes by itself.
const ONGOING: &str = "say/202/later";

/// Brings a saga to where an action, or a compensation, has answered "not finished".
async fn ongoing_saga(client: &Client, participants: &Participants, gid: &str, operation: &str) {
    let at = |steps: &str| participants.url(steps);
    let (action, compensation, next) = match operation {
        "action" => (ONGOING, "ok", "ok"),
        _ => ("ok", ONGOING, "refuse"),
    };
    let whole = saga(gid)
        .branch("one", at(action), at(compensation))
        .branch("two", at(next), at("ok"))
        .after(&["one"])
        .with("options", json!({ "retry_interval_secs": 0.02 }));
    client.submit(whole).await;
    participants.delivered(gid, "one", operation, 2).await;
}

async fn complete(client: &Client, word: &str, gid: &str, operation: &str) -> Value {
    let body = json!({ "gid": gid, "branch_id": "one", "operation": operation });
    let path = format!("/api/branch/{word}");
    client.post(&path, body).await.ok()
}

/// Asserts that the same word again is answered, and the contrary one refused with the state as it is.
async fn is_settled(client: &Client, word: &str, gid: &str, operation: &str, status: &str) {
    complete(client, word, gid, operation).await;
    let contrary = if word == "succeed" { "fail" } else { "succeed" };
    let body = json!({ "gid": gid, "branch_id": "one", "operation": operation });
    let path = format!("/api/branch/{contrary}");
    let answer = client.post(&path, body).await;
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    assert_eq!(answer.body["details"]["status"], status, "{}", answer.text);
    assert_eq!(answer.body["details"]["branch_id"], "one");
    assert_eq!(client.tx(gid).await["status"], status);
}

#[tokio::test]
async fn an_ongoing_action_that_is_told_done_lets_the_saga_go_on() {
    let (_server, client, participants) = scene().await;
    ongoing_saga(&client, &participants, "done", "action").await;
    complete(&client, "succeed", "done", "action").await;
    client.reached("done", "COMMITTED").await;
    is_settled(&client, "succeed", "done", "action", "COMMITTED").await;
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("done", "one", "compensation"), 0);
    assert!(ledger.done("done", "two", "action"));
}

#[tokio::test]
async fn an_ongoing_action_that_is_told_refused_turns_the_saga_and_is_compensated() {
    let (_server, client, participants) = scene().await;
    ongoing_saga(&client, &participants, "failed", "action").await;
    complete(&client, "fail", "failed", "action").await;
    client.reached("failed", "ABORTED").await;
    is_settled(&client, "fail", "failed", "action", "ABORTED").await;
    let ledger = participants.ledger();
    assert!(ledger.done("failed", "one", "compensation"));
    assert_eq!(ledger.delivered("failed", "two", "action"), 0);
}

#[tokio::test]
async fn an_ongoing_compensation_is_done_or_refused_as_is_told() {
    let (mut server, client, participants) = scene().await;
    for (word, status) in [("succeed", "ABORTED"), ("fail", "STUCK")] {
        ongoing_saga(&client, &participants, word, "compensation").await;
        server.kill_nine();
        server.start_again().await;
        complete(&client, word, word, "compensation").await;
        client.reached(word, status).await;
        is_settled(&client, word, word, "compensation", status).await;
    }
    let order = json!({ "to": "aborted", "reason": "settled by phone" });
    client.post("/api/tx/fail/force", order).await.ok();
}

#[tokio::test]
async fn an_ongoing_confirm_or_cancel_is_done_or_refused_as_is_told() {
    let (mut server, client, participants) = scene().await;
    for (operation, word, status, branch) in [
        ("confirm", "succeed", "COMMITTED", "CONFIRMED"),
        ("confirm", "fail", "STUCK", "CONFIRMING"),
        ("cancel", "succeed", "ABORTED", "CANCELLED"),
        ("cancel", "fail", "STUCK", "CANCELLING"),
    ] {
        let gid = format!("{operation}-{word}");
        let tcc = Tcc::begin(&client, &participants, &gid).await;
        tcc.tried(Branch {
            confirm: ONGOING,
            cancel: ONGOING,
            ..Branch::willing("one")
        })
        .await;
        tcc.tried(Branch::willing("two")).await;
        tcc.of_branch(operation, "two", json!({})).await.ok();
        participants.delivered(&gid, "one", operation, 2).await;
        server.kill_nine();
        server.start_again().await;
        complete(&client, word, &gid, operation).await;
        let tx = tcc.reached(status).await;
        assert_eq!(branch_of(&tx, "one")["status"], branch);
        is_settled(&client, word, &gid, operation, status).await;
        tcc.is_all(operation, &["two"]);
    }
}

#[tokio::test]
async fn an_ongoing_try_is_done_or_refused_as_is_told() {
    let (_server, client, participants) = scene().await;
    for (word, branch) in [("succeed", "TRIED"), ("fail", "REFUSED")] {
        let tcc = Tcc::begin(&client, &participants, word).await;
        let ongoing = Branch {
            try_: ONGOING,
            ..Branch::willing("one")
        };
        let answer = tcc.attempt(ongoing).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        complete(&client, word, word, "try").await;
        assert_eq!(tcc.status_of("one").await, branch);
        is_settled(&client, word, word, "try", "PREPARED").await;
        // What is known is answered without a call.
        let again = tcc.attempt(ongoing).await;
        assert_eq!(participants.ledger().delivered(word, "one", "try"), 1);
        if word == "succeed" {
            again.ok();
            tcc.submit().await.ok();
            tcc.reached("COMMITTED").await;
            tcc.is_all("confirm", &["one"]);
        } else {
            again.refused(409, "BRANCH_REFUSED");
            tcc.submit().await.refused(409, "BRANCH_REFUSED");
            tcc.abort().await.ok();
            tcc.reached("ABORTED").await;
            tcc.is_all("cancel", &["one"]);
        }
    }
}

#[tokio::test]
async fn a_branch_that_was_refused_can_not_be_told_done() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "refused").await;
    let refuser = Branch {
        try_: "refuse",
        ..Branch::willing("one")
    };
    tcc.attempt(refuser).await.refused(409, "BRANCH_REFUSED");
    let told = json!({ "operation": "try" });
    let answer = tcc.of_branch("succeed", "one", told).await;
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    let details = &answer.body["details"];
    assert_eq!(details["status"], "PREPARED");
    assert_eq!(details["branch_status"], "REFUSED");
    let nobody = tcc.of_branch("succeed", "nobody", json!({})).await;
    nobody.refused(404, "BRANCH_NOT_FOUND");
}
