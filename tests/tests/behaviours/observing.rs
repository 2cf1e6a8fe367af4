//! What may be looked at: histories, lists, health and metrics.

use std::collections::BTreeSet;

use http::Method;
use seata_tests::{Setup, saga, scene, scene_with, until};
use serde_json::Value;

#[tokio::test]
async fn the_history_tells_each_attempt_with_its_answer() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("told")
        .branch("one", at("first/1/503/busy"), at("ok"))
        .branch("two", at("refuse"), at("ok"))
        .after(&["one"])
        .with(
            "options",
            serde_json::json!({ "retry_interval_secs": 0.02 }),
        );
    client.run(whole).await;
    let events = client.events("told").await;
    let numbers: Vec<u64> = events.iter().filter_map(|e| e["number"].as_u64()).collect();
    assert_eq!(numbers.len(), events.len());
    assert!(numbers.is_sorted_by(|one, other| one < other));
    assert!(events.iter().all(|event| event["time"].is_string()));
    let told: Vec<String> = events
        .iter()
        .filter(|event| event["kind"] == "answered")
        .map(|event| {
            assert!(event["endpoint"].is_string() && event["duration_ms"].is_u64());
            let word = |name: &str| event[name].as_str().unwrap_or("").to_owned();
            format!(
                "{} {} {} {}",
                word("branch_id"),
                word("operation"),
                event["attempt"],
                word("outcome").to_lowercase()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "one action 1 unknown",
            "one action 2 success",
            "two action 1 failure",
            "one compensation 1 success"
        ]
    );
    let error = events.iter().find_map(|event| event["error"].as_str());
    assert!(error.unwrap().contains("503"));
}

#[tokio::test]
async fn the_list_is_newest_first_and_pages_tell_each_transaction_once() {
    let (mut server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    for number in 0..25 {
        // No two are created in the same millisecond: those stand in the order of their gids.
        let action = if number % 5 == 0 {
            "delay/2/refuse"
        } else {
            "delay/2/ok"
        };
        let whole = saga(&format!("list-{number:02}")).branch("one", at(action), at("ok"));
        client.run(whole).await;
    }
    client
        .run(saga("other").branch("one", at("ok"), at("ok")))
        .await;
    server.kill_nine();
    server.start_again().await;
    let gids = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap();
        let gids = list.iter().map(|tx| tx["gid"].as_str());
        gids.map(|gid| gid.unwrap().to_owned()).collect()
    };
    assert_eq!(gids(&client.get("/api/tx").await.ok()).len(), 10);
    let mut found = Vec::new();
    let mut path = "/api/tx?limit=7&gid_prefix=list-".to_owned();
    loop {
        let page = client.get(&path).await;
        let cursor = page.header("x-next-cursor").to_owned();
        found.extend(gids(&page.ok()));
        if cursor.is_empty() {
            break;
        }
        path = format!("/api/tx?limit=7&gid_prefix=list-&cursor={cursor}");
    }
    assert_eq!(found.len(), 25);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 25);
    assert!(found.is_sorted_by(|one, other| one > other), "{found:?}");
    let aborted = client.get("/api/tx?status=ABORTED&limit=100").await.ok();
    assert_eq!(gids(&aborted).len(), 5);
    let bad = client.get("/api/tx?status=SLEEPING").await;
    bad.refused(400, "INVALID_REQUEST");
    let bad = client.get("/api/tx?limit=100000").await;
    bad.refused(400, "INVALID_REQUEST");
}

#[tokio::test]
async fn health_says_healthy_alive_and_ready() {
    let (_server, client, _participants) = scene().await;
    let health = client.get("/health").await.ok();
    assert_eq!(health["status"], "healthy");
    assert!(health["timestamp"].is_string() && health["version"].is_string());
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn metrics_carry_no_gid_and_do_not_grow_with_transactions() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let round = async |name: &str| {
        for number in 0..20 {
            let gid = format!("metric-{name}-{number}");
            let action = if number % 2 == 0 { "ok" } else { "refuse" };
            let whole = saga(&gid).branch("branch-metric", at(action), at("ok"));
            client.run(whole).await;
            client.tx(&gid).await;
            client
                .get(&format!("/api/tx/metric-unknown-{name}-{number}"))
                .await;
            client.get(&format!("/metric-path-{name}-{number}")).await;
            client
                .get(&format!("/api/tx?gid_prefix=metric-{name}-{number}"))
                .await;
            let method = format!("METRIC-{name}-{number}");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            client.send(method, "/api/tx", None, "").await.unwrap();
        }
        let metrics = client.get("/metrics").await;
        assert_eq!(metrics.status, 200);
        metrics.text
    };
    let series = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter(|line| !line.is_empty()).count()
    };
    round("first").await;
    let before = round("second").await;
    let after = round("third").await;
    for text in [&before, &after] {
        for word in ["metric-", "METRIC-", "branch-metric", "127.0.0.1"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    assert_eq!(series(&before), series(&after));
    for name in [
        "seata_branch_success_total",
        "seata_branch_failure_total",
        "seata_branch_latency_seconds_bucket",
        "seata_active_transactions",
        "seata_transactions_total{",
        "seata_transaction_duration_seconds_bucket",
        "seata_branch_attempts_total{",
        "seata_store_append_seconds_bucket",
        "seata_http_requests_total{",
        "seata_calls_in_flight",
        "seata_build_info",
    ] {
        assert!(after.contains(name), "{name} is missing");
    }
}

#[tokio::test]
async fn at_the_level_debug_each_step_of_a_transaction_is_logged() {
    let (server, client, participants) = scene_with(Setup::new().with("SEATA_LOG", "debug")).await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("followed").branch("one", at("ok"), at("ok"));
    client.run(whole).await;
    for step in ["COMMITTED", "success"] {
        until("the step is logged", async || {
            let output = server.output();
            let mut lines = output.lines();
            lines.find(|line| line.contains("followed") && line.contains(step))?;
            Some(())
        })
        .await;
    }
}

/// A container's runtime that is stuck, or a pager that waits for a key.
#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_nothing() {
    let setup = Setup::new().unread().with("SEATA_LOG", "trace");
    let (mut server, client, participants) = scene_with(setup).await;
    let at = |steps: &str| participants.url(steps);
    for number in 0..10 {
        let whole = saga(&format!("unread-{number}")).branch("one", at("ok"), at("ok"));
        client.run(whole).await;
    }
    assert_eq!(client.get("/livez").await.status, 200);
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
}
