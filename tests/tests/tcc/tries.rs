//! Tries: who calls them, and what their answers allow.

use seata_tests::{Branch, Tcc, branch_of, scene, until};
use serde_json::json;

#[tokio::test]
async fn a_tcc_tried_by_the_coordinator_commits() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "commits").await;
    for id in ["one", "two"] {
        let answer = tcc.attempt(Branch::willing(id)).await.ok();
        assert_eq!(answer["transaction_status"], "PREPARED");
        assert_eq!(tcc.status_of(id).await, "TRIED");
    }
    let calls = participants.ledger().calls("commits");
    assert_eq!(calls, ["one try", "two try"]);
    let submit = json!({ "gid": "commits", "wait": true });
    let ended = client.post("/api/submit", submit).await.ok();
    assert_eq!(ended["status"], "committed");
    let tx = &ended["transaction"];
    assert_eq!(branch_of(tx, "one")["status"], "CONFIRMED");
    tcc.is_all("confirm", &["one", "two"]);
    for delivery in participants.ledger().of("commits") {
        let (branch, operation) = (&delivery.branch_id, &delivery.operation);
        let key = format!("commits/{branch}/{operation}");
        assert_eq!(delivery.header("idempotency-key"), key);
    }
}

#[tokio::test]
async fn a_refused_try_refuses_the_submission_and_the_abort_cancels_all_that_registered() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "refused").await;
    tcc.tried(Branch::willing("one")).await;
    let refuser = Branch {
        try_: "say/409/soldout",
        ..Branch::willing("two")
    };
    // The second time it is known, and nobody is called.
    for _ in 0..2 {
        let answer = tcc.attempt(refuser).await;
        answer.refused(409, "BRANCH_REFUSED");
        let details = &answer.body["details"];
        assert_eq!(details["branch_status"], "REFUSED");
        assert_eq!(details["status"], "PREPARED");
        assert!(details["reason"].as_str().unwrap().contains("soldout"));
    }
    tcc.registered(Branch::willing("three")).await;
    tcc.submit().await.refused(409, "BRANCH_REFUSED");
    let confirm = tcc.of_branch("confirm", "one", json!({})).await;
    confirm.refused(409, "BRANCH_REFUSED");
    assert_eq!(tcc.now().await["status"], "PREPARED");
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
    tcc.is_all("cancel", &["one", "two", "three"]);
    assert_eq!(participants.ledger().delivered("refused", "two", "try"), 1);
}

#[tokio::test]
async fn a_silent_try_is_pending_and_the_same_body_makes_the_next_attempt() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "silent").await;
    let silent = Branch {
        try_: "first/2/503/busy",
        ..Branch::willing("one")
    };
    for _ in 0..2 {
        let answer = tcc.attempt(silent).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.body["status"], "pending");
        assert!(answer.body["reason"].as_str().unwrap().contains("503"));
        let submitted = tcc.submit().await;
        submitted.refused(409, "INVALID_STATUS_TRANSITION");
        assert_eq!(submitted.body["details"]["branch_id"], "one");
        assert_eq!(submitted.body["details"]["status"], "PREPARED");
    }
    for _ in 0..3 {
        tcc.tried(silent).await;
    }
    tcc.submit().await.ok();
    tcc.reached("COMMITTED").await;
    tcc.is_all("confirm", &["one"]);
    let tries: Vec<_> = participants
        .ledger()
        .of("silent")
        .into_iter()
        .filter(|delivery| delivery.operation == "try")
        .map(|delivery| {
            (
                delivery.attempt,
                delivery.header("idempotency-key").to_owned(),
            )
        })
        .collect();
    let key = "silent/one/try".to_owned();
    assert_eq!(tries, [(1, key.clone()), (2, key.clone()), (3, key)]);
}

#[tokio::test]
async fn the_same_body_joins_the_try_that_is_on_its_way() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "joins").await;
    let slow = Branch {
        try_: "gate/slow",
        ..Branch::willing("one")
    };
    let first = tcc.at_gate(slow, "slow").await;
    assert_eq!(tcc.status_of("one").await, "TRYING");
    let (other, body) = (client.another(), tcc.body(slow));
    let second = tokio::spawn(async move { other.post("/api/branch/try", body).await });
    until("the other request has a connection", async || {
        let metrics = client.get("/metrics").await.text;
        let mut lines = metrics.lines();
        let open = lines.find_map(|line| line.strip_prefix("seata_http_connections "));
        open.and_then(|open| open.parse::<u32>().ok())
            .filter(|open| *open >= 3)
    })
    .await;
    participants.open("slow");
    first.await.unwrap().unwrap().ok();
    second.await.unwrap().ok();
    assert_eq!(participants.ledger().delivered("joins", "one", "try"), 1);
}

#[tokio::test]
async fn a_branch_whose_try_the_initiator_calls_is_confirmed_and_its_try_is_called_by_nobody_else()
{
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "own").await;
    for id in ["one", "two"] {
        tcc.registered(Branch::willing(id)).await;
        tcc.registered(Branch::willing(id)).await;
        assert_eq!(tcc.status_of(id).await, "REGISTERED");
    }
    let tried = json!({ "operation": "try" });
    let told = tcc.of_branch("succeed", "one", tried).await.ok();
    assert_eq!(told["transaction_status"], "PREPARED");
    assert_eq!(tcc.status_of("one").await, "TRIED");
    tcc.submit().await.ok();
    tcc.reached("COMMITTED").await;
    tcc.is_all("confirm", &["one", "two"]);
    for id in ["one", "two"] {
        assert_eq!(participants.ledger().delivered("own", id, "try"), 0);
    }
}

#[tokio::test]
async fn a_try_that_the_initiator_says_was_refused_refuses_the_submission() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "told").await;
    tcc.registered(Branch::willing("one")).await;
    let failed = json!({ "operation": "try", "reason": "no seats" });
    tcc.of_branch("fail", "one", failed).await.ok();
    let submitted = tcc.submit().await;
    submitted.refused(409, "BRANCH_REFUSED");
    assert_eq!(submitted.body["details"]["branch_id"], "one");
    let events = client.events("told").await;
    let told = events.iter().find(|event| event["kind"] == "completed");
    assert_eq!(told.unwrap()["reason"], "no seats", "{events:?}");
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
    tcc.is_all("cancel", &["one"]);
}

#[tokio::test]
async fn a_whole_tcc_in_one_request_is_confirmed_and_sent_again_it_answers_its_state() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = json!({ "gid": "whole", "mode": "tcc", "branches": [
        { "branch_id": "one", "confirm": at("ok"), "cancel": at("ok") },
        { "branch_id": "two", "action": at("ok") },
    ]});
    let tx = client.run(whole.clone()).await;
    assert_eq!(tx["status"], "COMMITTED");
    client.submit(whole).await;
    let mut calls = participants.ledger().calls("whole");
    calls.sort();
    assert_eq!(calls, ["one confirm", "two confirm"]);
}

#[tokio::test]
async fn a_cancel_waits_for_the_try_that_is_on_its_way() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "waits").await;
    tcc.tried(Branch::willing("beside")).await;
    let slow = Branch {
        try_: "gate/slow",
        ..Branch::willing("one")
    };
    let asked = tcc.at_gate(slow, "slow").await;
    let told = tcc.abort().await.ok();
    assert_eq!(told["transaction_status"], "ABORTING");
    tcc.branch_reached("beside", "CANCELLED").await;
    assert_eq!(participants.ledger().delivered("waits", "one", "cancel"), 0);
    participants.open("slow");
    // Whatever it did: nobody may take it for a reservation that stands.
    let answer = asked.await.unwrap().unwrap();
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    let status = answer.body["details"]["status"].as_str().unwrap();
    assert!(status.starts_with("ABORT"), "{}", answer.text);
    tcc.reached("ABORTED").await;
    // The cancel found the try done: had it come first, it would have blocked it.
    assert!(participants.ledger().done("waits", "one", "try"));
    tcc.is_all("cancel", &["one", "beside"]);
}

#[tokio::test]
async fn a_try_beyond_its_time_limit_is_cancelled_and_takes_no_effect_when_it_comes_late() {
    let (_server, client, participants) = scene().await;
    let options = json!({ "request_timeout_secs": 0.1, "retry_interval_secs": 0.02 });
    let tcc = Tcc::begin_with(&client, &participants, "late", options).await;
    let slow = Branch {
        try_: "gate/slow",
        ..Branch::willing("one")
    };
    let answer = tcc.attempt(slow).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(tcc.status_of("one").await, "IN_DOUBT");
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
    participants.open("slow");
    participants.quiet().await;
    assert!(!participants.ledger().done("late", "one", "try"));
    tcc.is_all("cancel", &["one"]);
}
