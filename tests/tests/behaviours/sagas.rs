//! Sagas from start to end.

use seata_tests::{saga, scene};
use serde_json::json;

fn statuses(tx: &serde_json::Value) -> Vec<&str> {
    let branches = tx["branches"].as_array().unwrap();
    let statuses = branches.iter().map(|branch| branch["status"].as_str());
    statuses.map(Option::unwrap).collect()
}

#[tokio::test]
async fn a_saga_commits_when_every_branch_took_effect() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("commits")
        .branch("one", at("ok"), at("ok"))
        .branch("two", at("ok"), at("ok"))
        .after(&["one"])
        .branch("three", at("ok"), at("ok"))
        .after(&["two"]);
    let tx = client.run(whole).await;
    assert_eq!(tx["status"], "COMMITTED");
    assert_eq!(tx["mode"], "saga");
    assert_eq!(statuses(&tx), ["SUCCEEDED"; 3]);
    let calls = participants.ledger().calls("commits");
    assert_eq!(calls, ["one action", "two action", "three action"]);
    assert_eq!(client.tx("commits").await, tx);
}

#[tokio::test]
async fn a_refusal_compensates_what_succeeded_in_reverse_order() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("turns")
        .branch("one", at("ok"), at("ok"))
        .branch("two", at("ok"), at("ok"))
        .after(&["one"])
        .branch("three", at("refuse"), at("ok"))
        .after(&["two"])
        .branch("four", at("ok"), at("ok"))
        .after(&["three"]);
    let tx = client.run(whole).await;
    assert_eq!(tx["status"], "ABORTED");
    let expected = ["COMPENSATED", "COMPENSATED", "REFUSED", "PREPARED"];
    assert_eq!(statuses(&tx), expected);
    let reason = tx["reason"].as_str().unwrap();
    assert!(reason.contains("three") && reason.contains("refused"));
    assert_eq!(
        participants.ledger().calls("turns"),
        [
            "one action",
            "two action",
            "three action",
            "two compensation",
            "one compensation"
        ]
    );
}

#[tokio::test]
async fn branches_without_an_order_run_side_by_side() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("wide")
        .branch("one", at("gate/wide"), at("ok"))
        .branch("two", at("gate/other"), at("ok"));
    client.submit(whole).await;
    participants.arrived("wide", 1).await;
    participants.arrived("other", 1).await;
    participants.open("wide");
    participants.open("other");
    client.reached("wide", "COMMITTED").await;
}

#[tokio::test]
async fn sequential_branches_run_in_the_order_in_which_they_were_added() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("row")
        .branch("one", at("delay/30"), at("ok"))
        .branch("two", at("ok"), at("ok"))
        .with("options", json!({ "order": "sequential" }));
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    assert_eq!(
        participants.ledger().calls("row"),
        ["one action", "two action"]
    );
}

#[tokio::test]
async fn a_saga_begun_step_by_step_calls_nobody_before_it_is_submitted() {
    let (_server, client, participants) = scene().await;
    let start = json!({ "gid": "steps", "payload": { "order": 7 } });
    assert_eq!(
        client.post("/api/start", start.clone()).await.ok()["gid"],
        "steps"
    );
    let add = |branch_id: &str| {
        json!({ "gid": "steps", "branch_id": branch_id, "action": participants.url("ok"),
                "compensate": participants.url("ok") })
    };
    for branch_id in ["one", "two"] {
        let added = client.post("/api/branch/add", add(branch_id)).await.ok();
        assert_eq!(added["status"], "success");
    }
    // The same again changes nothing.
    client.post("/api/start", start).await.ok();
    client.post("/api/branch/add", add("two")).await.ok();
    let tx = client.tx("steps").await;
    assert_eq!(tx["status"], "PREPARED");
    assert_eq!(statuses(&tx), ["PREPARED"; 2]);
    assert!(tx["branches"][0]["compensation"].is_string());
    assert_eq!(participants.ledger().calls("steps"), [""; 0]);
    let submit = json!({ "gid": "steps", "wait": true });
    let answer = client.post("/api/submit", submit.clone()).await.ok();
    assert_eq!(answer["status"], "committed");
    let again = client.post("/api/submit", submit).await.ok();
    assert_eq!(again["status"], "committed");
    for delivery in participants.ledger().of("steps") {
        assert_eq!(delivery.body, r#"{"order":7}"#);
    }
    let late = client.post("/api/branch/add", add("three")).await;
    late.refused(409, "INVALID_STATUS_TRANSITION");
}

#[tokio::test]
async fn what_was_never_submitted_is_aborted_without_a_call() {
    let (_server, client, participants) = scene().await;
    let start = json!({ "gid": "forgotten", "options": { "prepared_timeout_secs": 0.2 },
        "branches": [{ "branch_id": "one", "action": participants.url("ok") }] });
    client.post("/api/start", start).await.ok();
    let tx = client.reached("forgotten", "ABORTED").await;
    assert!(tx["reason"].as_str().unwrap().contains("not submitted"));
    assert_eq!(participants.ledger().calls("forgotten"), [""; 0]);
}

#[tokio::test]
async fn an_abort_before_submission_calls_nobody() {
    let (_server, client, participants) = scene().await;
    let start = saga("early").branch("one", participants.url("ok"), participants.url("ok"));
    client.post("/api/start", start).await.ok();
    let abort = json!({ "gid": "early", "reason": "changed my mind", "wait": true });
    let answer = client.post("/api/abort", abort).await.ok();
    assert_eq!(answer["status"], "aborted");
    let reason = answer["transaction"]["reason"].as_str().unwrap();
    assert!(reason.contains("changed my mind"));
    assert_eq!(participants.ledger().calls("early"), [""; 0]);
    let submit = client.post("/api/submit", json!({ "gid": "early" })).await;
    submit.refused(409, "INVALID_STATUS_TRANSITION");
}

#[tokio::test]
async fn an_abort_on_the_way_awaits_the_call_in_flight_and_compensates() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("midway")
        .branch("one", at("ok"), at("ok"))
        .branch("two", at("apply/gate/midway"), at("ok"))
        .after(&["one"])
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.submit(whole).await;
    participants.arrived("midway", 1).await;
    let abort = json!({ "gid": "midway" });
    client.post("/api/abort", abort.clone()).await.ok();
    assert_eq!(
        participants.ledger().calls("midway"),
        ["one action", "two action"]
    );
    participants.open("midway");
    client.reached("midway", "ABORTED").await;
    let calls = participants.ledger().calls("midway");
    assert_eq!(calls[2..], ["two compensation", "one compensation"]);
    // The same again is no error.
    client.post("/api/abort", abort).await.ok();
}

#[tokio::test]
async fn a_committed_saga_can_not_be_aborted() {
    let (_server, client, participants) = scene().await;
    let whole = saga("done").branch("one", participants.url("ok"), participants.url("ok"));
    client.run(whole).await;
    let abort = client.post("/api/abort", json!({ "gid": "done" })).await;
    abort.refused(409, "INVALID_STATUS_TRANSITION");
}

#[tokio::test]
async fn a_branch_without_compensation_finishes_aborting() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("one-way")
        .branch_without_compensation("mail", at("ok"))
        .branch("money", at("ok"), at("ok"))
        .branch("stock", at("refuse"), at("ok"))
        .after(&["mail", "money"]);
    let tx = client.run(whole).await;
    assert_eq!(tx["status"], "ABORTED");
    let calls = participants.ledger().calls("one-way");
    assert_eq!(calls[3..], ["money compensation"]);
}

#[tokio::test]
async fn a_branch_without_compensation_that_is_in_doubt_does_not_hold_the_abort() {
    let (mut server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("one-way")
        .branch("money", at("ok"), at("gate/back"))
        .branch_without_compensation("mail", at("apply/say/503/lost"))
        .after(&["money"])
        .with(
            "options",
            json!({ "max_attempts": 2, "retry_interval_secs": 0.02, "request_timeout_secs": 600 }),
        );
    client.submit(whole).await;
    participants.arrived("back", 1).await;
    server.kill_nine();
    server.start_again().await;
    participants.open("back");
    let tx = client.reached("one-way", "ABORTED").await;
    assert!(tx["forced"].is_null(), "{tx}");
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("one-way", "mail", "action"), 2);
    assert_eq!(ledger.delivered("one-way", "mail", "compensation"), 0);
    assert!(!ledger.remains("one-way", "money"));
}

#[tokio::test]
async fn the_deadline_turns_a_saga_round() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("too-late")
        .branch("one", at("ok"), at("ok"))
        .branch("two", at("say/503/busy"), at("ok"))
        .after(&["one"])
        .with(
            "options",
            json!({ "timeout_to_fail_secs": 5, "retry_interval_secs": 0.05 }),
        );
    let tx = client.run(whole).await;
    assert_eq!(tx["status"], "ABORTED");
    assert!(tx["reason"].as_str().unwrap().contains("deadline"));
    // Nobody knows what the second one did: it is compensated too.
    assert_eq!(statuses(&tx), ["COMPENSATED"; 2]);
}

#[tokio::test]
async fn gids_of_which_one_is_a_prefix_of_another_keep_their_own_branches() {
    let (mut server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let gids = ["a", "a-1", "a-1-b", "a-1-b.c", "a1", "a-", "a:"];
    for gid in gids {
        let own = format!("of-{gid}");
        let whole =
            saga(gid)
                .branch(&own, at("ok"), at("ok"))
                .branch("held", at("gate/prefix"), at("ok"));
        client.submit(whole).await;
    }
    participants.arrived("prefix", gids.len()).await;
    server.kill_nine();
    server.start_again().await;
    participants.open("prefix");
    client.all_ended().await;
    for gid in gids {
        let tx = client.tx(gid).await;
        assert_eq!(tx["status"], "COMMITTED");
        assert_eq!(statuses(&tx).len(), 2);
        assert_eq!(tx["branches"][0]["branch_id"], format!("of-{gid}"));
        assert!(participants.ledger().remains(gid, &format!("of-{gid}")));
        assert!(participants.ledger().remains(gid, "held"));
    }
}
