//! What participants answer, and what follows from it.

use jiff::Timestamp;
use seata_tests::{Setup, saga, scene, scene_with, until};
use serde_json::{Value, json};

/// Long: a server that gets no processor for so long loses its lease, and calls again.
const LEASE_SECS: u32 = 4;

fn quick() -> Value {
    json!({ "retry_interval_secs": 0.02, "retry_interval_max_secs": 0.05 })
}

#[tokio::test]
async fn waiting_for_a_saga_that_still_runs_is_pending_and_never_a_failure() {
    let (_server, client, participants) = scene().await;
    let whole = saga("runs")
        .branch("one", participants.url("gate/runs"), participants.url("ok"))
        .with("options", json!({ "request_timeout_secs": 600 }));
    let answer = client
        .post("/api/submit", whole.clone().with("wait", 0.1))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.body["status"], "pending");
    assert_eq!(answer.body["transaction"]["status"], "SUBMITTED");
    let waiting_for = answer.body["transaction"]["waiting_for"].as_str();
    assert!(waiting_for.unwrap().contains("branch one"));
    participants.open("runs");
    let answer = client.post("/api/submit", whole.with("wait", true)).await;
    assert_eq!(answer.ok()["status"], "committed");
}

#[tokio::test]
async fn waiting_by_gid_or_for_an_abort_is_pending_too_while_it_runs() {
    let (_server, client, participants) = scene().await;
    let start = saga("runs")
        .branch("one", participants.url("gate/runs"), participants.url("ok"))
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.post("/api/start", start).await.ok();
    let by_gid = json!({ "gid": "runs", "wait": 0.1 });
    for (path, status) in [
        ("/api/submit", "SUBMITTED"),
        ("/api/submit", "SUBMITTED"),
        ("/api/abort", "ABORTING"),
        ("/api/abort", "ABORTING"),
    ] {
        let answer = client.post(path, by_gid.clone()).await;
        assert_eq!(answer.status, 202, "{path}: {}", answer.text);
        assert_eq!(answer.body["status"], "pending");
        assert_eq!(answer.body["transaction"]["status"], status);
    }
    participants.open("runs");
    let answer = client
        .post("/api/abort", json!({ "gid": "runs", "wait": true }))
        .await;
    assert_eq!(answer.ok()["status"], "aborted");
    assert_eq!(
        participants.ledger().calls("runs"),
        ["one action", "one compensation"]
    );
}

#[tokio::test]
async fn a_branch_that_is_slower_than_the_lease_is_called_once() {
    let setup = Setup::new().with("SEATA_LEASE_SECS", LEASE_SECS);
    let (_server, client, participants) = scene_with(setup).await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("slow")
        .branch("one", at("gate/forward"), at("gate/back"))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.submit(whole).await;
    participants.arrived("forward", 1).await;
    client.passed("clock-forward", 3 * LEASE_SECS + 1).await;
    assert_eq!(participants.ledger().calls("slow"), ["one action"]);
    participants.open("forward");
    participants.arrived("back", 1).await;
    client.passed("clock-back", 3 * LEASE_SECS + 1).await;
    participants.open("back");
    client.reached("slow", "ABORTED").await;
    assert_eq!(
        participants.ledger().calls("slow"),
        ["one action", "two action", "one compensation"]
    );
}

#[tokio::test]
async fn a_retry_limit_turns_the_saga_after_so_many_attempts_with_a_pause_before_each() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("limit")
        .branch("one", at("say/503/busy"), at("ok"))
        .with(
            "options",
            json!({ "max_attempts": 4, "retry_interval_secs": 0.1, "retry_interval_max_secs": 0.2 }),
        );
    let tx = client.run(whole).await;
    assert_eq!(tx["status"], "ABORTED");
    assert!(tx["reason"].as_str().unwrap().contains("attempts"));
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("limit", "one", "action"), 4);
    // Unknown what it did: undone.
    assert_eq!(ledger.delivered("limit", "one", "compensation"), 1);
    let events = client.events("limit").await;
    let answered = answers(&events, "action");
    assert_eq!(answered.len(), 4);
    for pair in answered.windows(2) {
        let planned = planned_pause_ms(&pair[0]);
        assert!((50..=200).contains(&planned), "{pair:?}");
        // By the server's own clock, no attempt begins before its time.
        let took = pair[1]["duration_ms"].as_i64().unwrap();
        let begun = ms(&pair[1]["time"]) - took;
        assert!(begun + 1 >= ms(&pair[0]["next_attempt_at"]), "{pair:?}");
    }
}

#[tokio::test]
async fn back_off_never_grows_beyond_its_cap() {
    let (_server, client, participants) = scene().await;
    let whole = saga("cap")
        .branch(
            "one",
            participants.url("say/503/busy"),
            participants.url("ok"),
        )
        .with(
            "options",
            json!({ "retry_interval_secs": 1000, "retry_interval_max_secs": 1500 }),
        );
    client.submit(whole).await;
    for attempt in 1..=12 {
        let last = until("the attempt is answered", async || {
            let events = client.events("cap").await;
            let answered = answers(&events, "action");
            (answered.len() == attempt).then(|| answered[attempt - 1].clone())
        })
        .await;
        assert_eq!(last["attempt"], attempt, "{last}");
        // Doubled from the second on, cut to the cap, and then at random in the upper half.
        let least = if attempt == 1 { 500_000 } else { 750_000 };
        let planned = planned_pause_ms(&last);
        assert!((least..=1_500_000).contains(&planned), "{last}");
        // Who does not want to wait so long orders the next attempt.
        let order = json!({ "reason": "it was mended" });
        client.post("/api/tx/cap/retry", order).await.ok();
    }
}

fn answers(events: &[Value], operation: &str) -> Vec<Value> {
    let answered = |event: &&Value| event["kind"] == "answered" && event["operation"] == operation;
    events.iter().filter(answered).cloned().collect()
}

fn ms(time: &Value) -> i64 {
    let time: Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_millisecond()
}

fn planned_pause_ms(answer: &Value) -> i64 {
    ms(&answer["next_attempt_at"]) - ms(&answer["time"])
}

#[tokio::test]
async fn a_500_whose_body_says_failure_is_no_refusal() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("loud")
        .branch("one", at("first/2/500/FAILURE"), at("ok"))
        .branch("two", at("first/2/404/FAILURE"), at("ok"))
        .branch("three", at("first/2/302/FAILURE"), at("ok"))
        .with("options", quick());
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    assert_eq!(participants.ledger().calls("loud").len(), 9);
}

#[tokio::test]
async fn a_200_whose_body_says_failure_is_a_success() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("modest")
        .branch("one", at("apply/say/200/FAILURE"), at("ok"))
        .branch("two", at("apply/say/204/"), at("ok"));
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    assert_eq!(participants.ledger().calls("modest").len(), 2);
}

#[tokio::test]
async fn a_409_whose_body_says_success_is_a_refusal() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("sly")
        .branch("one", at("ok"), at("apply/first/2/500/SUCCESS"))
        .branch("two", at("say/409/SUCCESS"), at("ok"))
        .after(&["one"])
        .with("options", quick());
    assert_eq!(client.run(whole).await["status"], "ABORTED");
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("sly", "two", "action"), 1);
    // Nor does it end a compensation.
    assert_eq!(ledger.delivered("sly", "one", "compensation"), 3);
}

#[tokio::test]
async fn a_500_after_it_took_effect_is_asked_again_with_the_same_key() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("lost")
        .branch("one", at("apply/first/3/500/lost"), at("ok"))
        .with("options", quick());
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    let deliveries = participants.ledger().of("lost");
    assert_eq!(deliveries.len(), 4);
    for (delivery, attempt) in deliveries.iter().zip(1..) {
        assert_eq!(delivery.header("idempotency-key"), "lost/one/action");
        assert_eq!(delivery.attempt, attempt);
        assert_eq!(delivery.body, deliveries[0].body);
    }
}

#[tokio::test]
async fn ongoing_is_asked_again_and_does_not_count_as_an_attempt() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("busy")
        .branch("one", at("first/6/202/later"), at("ok"))
        .with(
            "options",
            json!({ "max_attempts": 1, "retry_interval_secs": 0.02 }),
        );
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    let delivered = participants.ledger().delivered("busy", "one", "action");
    assert_eq!(delivered, 7);
}

#[tokio::test]
async fn a_refusal_after_an_unknown_answer_is_compensated() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("doubt")
        .branch("one", at("apply/first/1/500/lost/refuse"), at("ok"))
        .with("options", quick());
    assert_eq!(client.run(whole).await["status"], "ABORTED");
    assert!(!participants.ledger().remains("doubt", "one"));
    assert_eq!(
        participants.ledger().calls("doubt"),
        ["one action", "one action", "one compensation"]
    );
}

#[tokio::test]
async fn a_timeout_is_no_refusal() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("silent")
        .branch("one", at("apply/gate/silent"), at("ok"))
        .with(
            "options",
            json!({ "request_timeout_secs": 0.1, "retry_interval_secs": 0.02 }),
        );
    client.submit(whole).await;
    participants.delivered("silent", "one", "action", 3).await;
    assert_eq!(client.tx("silent").await["status"], "SUBMITTED");
    participants.open("silent");
    client.reached("silent", "COMMITTED").await;
}

#[tokio::test]
async fn a_compensation_is_retried_beyond_every_limit() {
    const DEADLINE_SECS: u32 = 5;
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("stubborn")
        .branch("one", at("ok"), at("gate/late/first/7/500/oops"))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with(
            "options",
            json!({ "max_attempts": 2, "retry_interval_secs": 0.02, "retry_interval_max_secs": 0.05,
                    "timeout_to_fail_secs": DEADLINE_SECS, "request_timeout_secs": 600 }),
        );
    client.submit(whole).await;
    participants.arrived("late", 1).await;
    client.passed("clock", DEADLINE_SECS).await;
    participants.open("late");
    client.reached("stubborn", "ABORTED").await;
    let ledger = participants.ledger();
    assert_eq!(ledger.delivered("stubborn", "one", "compensation"), 8);
    assert!(!ledger.remains("stubborn", "one"));
}

#[tokio::test]
async fn calls_carry_exactly_the_documented_headers() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("heads")
        .branch("one", at("first/1/503/busy"), at("ok"))
        .with_branch("payload", json!({ "amount": 3 }))
        .with_branch("headers", json!({ "x-tenant": "blue" }))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with(
            "options",
            json!({ "retry_interval_secs": 0.02, "headers": { "x-all": "yes", "x-tenant": "red" } }),
        );
    assert_eq!(client.run(whole).await["status"], "ABORTED");
    let deliveries = participants.ledger().of("heads");
    let calls: Vec<_> = deliveries.iter().collect();
    let [first, again, _refused, undone] = calls[..] else {
        panic!("{:?}", participants.ledger().calls("heads"));
    };
    for (delivery, operation, attempt) in [
        (first, "action", "1"),
        (again, "action", "2"),
        (undone, "compensation", "1"),
    ] {
        let mut names: Vec<&str> = delivery.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "content-length",
                "content-type",
                "host",
                "idempotency-key",
                "seata-attempt",
                "seata-branch-id",
                "seata-gid",
                "seata-operation",
                "traceparent",
                "user-agent",
                "x-all",
                "x-tenant"
            ]
        );
        assert_eq!(delivery.header("seata-gid"), "heads");
        assert_eq!(delivery.header("seata-branch-id"), "one");
        assert_eq!(delivery.header("seata-operation"), operation);
        assert_eq!(delivery.header("seata-attempt"), attempt);
        let key = format!("heads/one/{operation}");
        assert_eq!(delivery.header("idempotency-key"), key);
        assert_eq!(delivery.header("content-type"), "application/json");
        assert_eq!(delivery.header("x-all"), "yes");
        assert_eq!(delivery.header("x-tenant"), "blue");
        assert_eq!(delivery.body, r#"{"amount":3}"#);
    }
    // One trace, and a span for each attempt.
    let traces: Vec<Vec<&str>> = deliveries
        .iter()
        .map(|delivery| delivery.header("traceparent").split('-').collect())
        .collect();
    for trace in &traces {
        let lengths: Vec<usize> = trace.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 32, 16, 2]);
        assert_eq!(trace[1], traces[0][1]);
    }
    assert_ne!(traces[0][2], traces[1][2]);
}
