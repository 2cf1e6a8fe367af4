//! What is answered when all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seata_core::Outcome;
use seata_service::ShardHealth;
use serde_json::{Value, json};

use crate::world::{World, branch, plus, refused, saga, unknown};

#[tokio::test(start_paused = true)]
async fn a_saga_is_begun_grown_submitted_and_seen_to_its_end() {
    let world = World::new().await;
    let started = world
        .ok(
            "/api/start",
            json!({"gid": "g", "payload": {"b": 1, "a": [2]}}),
        )
        .await;
    assert_eq!(started, json!({"gid": "g"}));
    let prepared = world.get("/api/tx/g").await.body;
    assert_eq!(prepared["status"], "PREPARED");
    assert!(
        prepared["waiting_for"]
            .as_str()
            .unwrap()
            .starts_with("its submission")
    );
    for name in ["b1", "b2"] {
        let added = world
            .ok("/api/branch/add", plus(branch(name), json!({"gid": "g"})))
            .await;
        assert_eq!(added, json!({"status": "success"}));
    }
    let submitted = world.ok("/api/submit", json!({"gid": "g"})).await;
    assert_eq!(submitted["status"], "success");
    assert_eq!(submitted["gid"], "g");
    assert_eq!(submitted["transaction_status"], "SUBMITTED");
    let ended = world
        .ok("/api/submit", json!({"gid": "g", "wait": true}))
        .await;
    assert_eq!(ended["status"], "committed");
    let transaction = world.get("/api/tx/g").await.body;
    assert_eq!(transaction, ended["transaction"]);
    assert_eq!(
        transaction,
        json!({
            "gid": "g", "mode": "saga", "status": "COMMITTED", "payload": {"b": 1, "a": [2]},
            "branches": [
                {"branch_id": "b1", "status": "SUCCEEDED", "action": "http://b1/do", "compensation": "http://b1/undo", "after": [],
                 "operations": [{"operation": "action", "status": "SUCCEEDED", "calls": 1, "attempts": 1, "last_error": null, "next_attempt_at": null}]},
                {"branch_id": "b2", "status": "SUCCEEDED", "action": "http://b2/do", "compensation": "http://b2/undo", "after": [],
                 "operations": [{"operation": "action", "status": "SUCCEEDED", "calls": 1, "attempts": 1, "last_error": null, "next_attempt_at": null}]},
            ],
            "created_unix": 1_700_000_000, "updated_unix": 1_700_000_000,
        })
    );
    let calls = world.script.calls.lock().unwrap();
    assert_eq!(&*calls[0].payload().unwrap().bytes, br#"{"a":[2],"b":1}"#);
}

#[tokio::test(start_paused = true)]
async fn a_whole_transaction_without_a_gid_gets_one_and_is_awaited() {
    let world = World::new().await;
    let body = json!({"mode": "saga", "branches": [branch("a"), plus(branch("b"), json!({"after": ["a"]}))], "wait": 5.5});
    let ended = world.ok("/api/submit", body).await;
    assert_eq!(ended["status"], "committed");
    let gid = ended["gid"].as_str().unwrap();
    assert_eq!((gid.len(), &gid[14..15]), (36, "7"), "{gid}");
    assert_eq!(ended["transaction"]["branches"][1]["after"], json!(["a"]));
}

#[tokio::test(start_paused = true)]
async fn waiting_on_a_saga_that_still_runs_is_pending_and_never_a_failure() {
    let world = World::new().await;
    world.say("http://b1/do", [(60_000, Outcome::Success)]);
    let body = plus(
        saga("slow"),
        json!({"wait": 0.5, "options": {"request_timeout_secs": 100}}),
    );
    let pending = world.post("/api/submit", body).await;
    assert_eq!(pending.status, 202);
    assert_eq!(pending.body["status"], "pending");
    assert_eq!(pending.body["transaction"]["status"], "SUBMITTED");
    let waiting_for = pending.body["transaction"]["waiting_for"].as_str().unwrap();
    assert_eq!(
        waiting_for,
        "branch b1: the answer to attempt 1 of its action"
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_without_room_for_another_client_is_pending_too() {
    let mut config = seata_engine::Config::new(seata_store::Owner(1));
    config.waiters_max = 0;
    let world = World::with(config).await;
    world.say("http://b1/do", [(60_000, Outcome::Success)]);
    let pending = world
        .post("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    assert_eq!(
        (pending.status.as_u16(), &pending.body["status"]),
        (202, &json!("pending"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_aborts_and_the_answer_and_the_history_say_why() {
    let world = World::new().await;
    world.say("http://b2/do", [(5, refused())]);
    let ended = world
        .ok("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    assert_eq!(ended["status"], "aborted");
    let reason = "branch b2 refused its action: 409 Conflict: sold out";
    assert_eq!(ended["transaction"]["reason"], reason);
    assert_eq!(ended["transaction"]["branches"][0]["status"], "COMPENSATED");
    assert_eq!(ended["transaction"]["branches"][1]["status"], "REFUSED");
    let events = world.get("/api/tx/g/events").await.body;
    let events = events.as_array().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "created",
            "submitted",
            "answered",
            "answered",
            "turned_round",
            "answered",
            "aborted"
        ]
    );
    let refusal = events
        .iter()
        .find(|event| event["outcome"] == "failure")
        .unwrap();
    assert_eq!(
        refusal,
        &json!({
            "number": 4, "time": "2023-11-14T22:13:20.005Z", "kind": "answered", "branch_id": "b2", "operation": "action", "attempt": 1,
            "endpoint": "http://b2/do", "outcome": "failure", "duration_ms": 5, "error": "409 Conflict: sold out",
        })
    );
    assert_eq!(events[4]["reason"], reason);
    assert_eq!(events[4]["branches"], json!(["b1"]));
}

#[tokio::test(start_paused = true)]
async fn what_an_open_transaction_waits_for_is_a_sentence() {
    let world = World::new().await;
    let answers = [
        (0, unknown()),
        (0, unknown()),
        (0, unknown()),
        (0, Outcome::Ongoing),
    ];
    world.say("http://b2/do", answers);
    let options = json!({"options": {"retry_interval_secs": 0.2, "timeout_to_fail_secs": 3600}});
    let body = plus(plus(saga("g"), options), json!({"wait": 0.1}));
    let pending = world.post("/api/submit", body).await.body;
    let said = pending["transaction"]["waiting_for"].as_str().unwrap();
    assert!(
        said.starts_with("branch b2: attempt 2 of its action in 0."),
        "{said}"
    );
    assert!(
        said.ends_with(" s; last answer: 503 Service Unavailable from http://b2/do"),
        "{said}"
    );
    assert_eq!(
        pending["transaction"]["deadline"],
        "2023-11-14T23:13:20.000Z"
    );
    let operation = &pending["transaction"]["branches"][1]["operations"][0];
    assert_eq!(operation["last_error"], "503 Service Unavailable");
    assert_eq!(operation["status"], "OPEN");
    assert!(
        operation["next_attempt_at"]
            .as_str()
            .unwrap()
            .starts_with("2023-11-14T22:13:20.")
    );
}

#[tokio::test(start_paused = true)]
async fn bytes_are_sent_as_bytes_and_shown_in_base64() {
    let world = World::new().await;
    let body = plus(
        saga("g"),
        json!({"payload_base64": "AAH/", "content_type": "application/x-protobuf", "wait": true}),
    );
    let ended = world.ok("/api/submit", body).await;
    assert_eq!(ended["transaction"]["payload"], json!(null));
    assert_eq!(ended["transaction"]["payload_base64"], "AAH/");
    assert_eq!(
        ended["transaction"]["content_type"],
        "application/x-protobuf"
    );
    let calls = world.script.calls.lock().unwrap();
    assert_eq!(&*calls[0].payload().unwrap().bytes, &[0, 1, 255]);
}

#[tokio::test(start_paused = true)]
async fn options_of_a_branch_win_over_those_of_the_transaction() {
    let world = World::new().await;
    let own = json!({"options": {"request_timeout_secs": 7, "headers": {"X-Tenant": "t2"}}, "payload": 2});
    let body = json!({
        "branches": [branch("a"), plus(branch("b"), own)],
        "payload": 1,
        "options": {"request_timeout_secs": 0.25, "headers": {"x-tenant": "t1", "authorization": "Bearer x"}},
        "wait": true,
    });
    world.ok("/api/submit", body).await;
    let calls = world.script.calls.lock().unwrap();
    let told: Vec<_> = calls
        .iter()
        .map(|call| {
            let last = |name: &str| {
                call.headers()
                    .filter(|h| &*h.name == name)
                    .last()
                    .unwrap()
                    .value
                    .to_string()
            };
            let payload = String::from_utf8(call.payload().unwrap().bytes.to_vec()).unwrap();
            (
                call.timeout().as_millis(),
                last("x-tenant"),
                last("authorization"),
                payload,
            )
        })
        .collect();
    let expected = |ms, tenant: &str, payload: &str| {
        (
            ms,
            tenant.to_owned(),
            "Bearer x".to_owned(),
            payload.to_owned(),
        )
    };
    assert_eq!(told, [expected(250, "t1", "1"), expected(7000, "t2", "2")]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_what_was_only_prepared_and_says_why() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    let body = json!({"gid": "g", "reason": "changed my mind", "wait": true});
    let ended = world.ok("/api/abort", body).await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(
        ended["transaction"]["reason"],
        "an abort was asked for: changed my mind"
    );
    assert!(world.script.calls.lock().unwrap().is_empty());
    let again = world.ok("/api/abort", json!({"gid": "g"})).await;
    assert_eq!(
        (&again["status"], &again["transaction_status"]),
        (&json!("success"), &json!("ABORTED"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_branch_without_compensation_needs_none() {
    let world = World::new().await;
    world.say("http://b2/do", [(5, refused())]);
    let body = json!({"branches": [{"branch_id": "b1", "action": "http://b1/do"}, branch("b2")], "wait": true});
    let ended = world.ok("/api/submit", body).await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(
        ended["transaction"]["branches"][0]["compensation"],
        json!(null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lacks_one_of_its_databases_is_ready_and_says_which() {
    let away = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&away);
    let shards = move || {
        let away = count.load(Ordering::Relaxed);
        let state = |index| match index < away {
            true => ShardHealth::Unavailable,
            false => ShardHealth::Ok,
        };
        (0..2).map(state).collect()
    };
    let world = World::new().await.on(Arc::new(shards));
    for (number, words, status) in [
        (0, ("healthy", "ok", ["ok", "ok"]), 200),
        (1, ("degraded", "degraded", ["unavailable", "ok"]), 200),
        (
            2,
            ("unhealthy", "unavailable", ["unavailable", "unavailable"]),
            503,
        ),
    ] {
        away.store(number, Ordering::Relaxed);
        let health = world.get("/health").await;
        let body = &health.body;
        assert_eq!(health.status, status);
        assert_eq!(body["status"], words.0);
        assert_eq!(body["store"], words.1);
        assert_eq!(body["shards"], json!(words.2));
        assert_eq!(body["store_kind"], "postgres");
        assert_eq!(world.get("/readyz").await.status, status);
        assert_eq!(world.get("/livez").await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn health_tells_of_the_store_and_readiness_of_the_stop() {
    let world = World::new().await;
    let health = world.get("/health").await;
    assert_eq!(health.status, 200);
    let expected = json!({"status": "healthy", "timestamp": health.body["timestamp"], "store": "ok", "version": "1.2.3"});
    assert_eq!(health.body, expected);
    assert_eq!(world.get("/readyz").await.status, 200);
    world.down.now();
    let health = world.get("/health").await;
    assert_eq!(health.code(), "STORE_UNAVAILABLE");
    assert_eq!(
        (&health.body["status"], &health.body["store"]),
        (&json!("unhealthy"), &json!("unavailable"))
    );
    assert_eq!(world.get("/readyz").await.code(), "STORE_UNAVAILABLE");
    world.api.stopping();
    assert_eq!(world.get("/readyz").await.code(), "STOPPING");
    assert_eq!(world.get("/livez").await.status, 200);
    let metrics = world.get("/metrics").await;
    assert_eq!(
        (metrics.status.as_u16(), metrics.body),
        (200, json!("# metrics\n"))
    );
}

#[tokio::test(start_paused = true)]
async fn waiting_no_time_at_all_still_tells_the_state() {
    let world = World::new().await;
    world.say("http://b1/do", [(60_000, Outcome::Success)]);
    for wait in [json!(0), json!(0.0), json!(0.0001)] {
        let looked = world
            .post("/api/submit", plus(saga("g"), json!({"wait": wait})))
            .await;
        assert_eq!(
            (looked.status.as_u16(), &looked.body["status"]),
            (202, &json!("pending"))
        );
        assert_eq!(looked.body["transaction"]["status"], "SUBMITTED");
    }
    let unasked = world
        .ok("/api/submit", plus(saga("g"), json!({"wait": false})))
        .await;
    assert_eq!(unasked["status"], "success");
    assert!(unasked.get("transaction").is_none());
}

/// An initiator that lost our answer sends the whole transaction again, whatever became of it meanwhile.
#[tokio::test(start_paused = true)]
async fn the_same_whole_transaction_answers_its_state_whatever_became_of_it() {
    let world = World::new().await;
    world.say("http://b2/do", [(1_000, refused())]);
    world.say("http://b1/undo", [(60_000, refused())]);
    let submit = |more: Value| plus(saga("g"), more);
    world.ok("/api/submit", submit(json!({}))).await;
    let mut seen = Vec::new();
    for seconds in [0, 2, 60] {
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
        let again = world.ok("/api/submit", submit(json!({}))).await;
        assert_eq!(
            (&again["status"], &again["gid"]),
            (&json!("success"), &json!("g"))
        );
        seen.push(again["transaction_status"].clone());
    }
    world
        .ok(
            "/api/tx/g/skip",
            json!({"branch_id": "b1", "reason": "undone by hand"}),
        )
        .await;
    let ended = world.ok("/api/submit", submit(json!({"wait": true}))).await;
    assert_eq!(ended["status"], "aborted");
    seen.push(world.ok("/api/submit", submit(json!({}))).await["transaction_status"].clone());
    assert_eq!(seen, ["SUBMITTED", "ABORTING", "STUCK", "ABORTED"]);
    let by_gid = world.post("/api/submit", json!({"gid": "g"})).await;
    assert_eq!(by_gid.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(
        by_gid.body["details"],
        json!({"gid": "g", "status": "ABORTED"})
    );
}

#[tokio::test(start_paused = true)]
async fn an_abort_of_a_running_saga_answers_once_it_is_decided_and_waits_if_asked() {
    let world = World::new().await;
    world.say("http://b2/do", [(5_000, Outcome::Success)]);
    world.ok("/api/submit", saga("g")).await;
    let aborted = world.ok("/api/abort", json!({"gid": "g"})).await;
    assert_eq!(
        (&aborted["status"], &aborted["transaction_status"]),
        (&json!("success"), &json!("ABORTING"))
    );
    let pending = world
        .post("/api/abort", json!({"gid": "g", "wait": 0.5}))
        .await;
    assert_eq!(
        (pending.status.as_u16(), &pending.body["status"]),
        (202, &json!("pending"))
    );
    let by_gid = world.post("/api/submit", json!({"gid": "g"})).await;
    assert_eq!(by_gid.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(by_gid.body["details"]["status"], "ABORTING");
    let ended = world
        .ok("/api/abort", json!({"gid": "g", "wait": 300}))
        .await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(ended["transaction"]["branches"][1]["status"], "COMPENSATED");
}

#[tokio::test(start_paused = true)]
async fn calls_count_what_attempts_leave_out() {
    let world = World::new().await;
    world.say(
        "http://b1/do",
        [
            (0, Outcome::Ongoing),
            (0, Outcome::Ongoing),
            (600_000, Outcome::Success),
        ],
    );
    let whole = json!({"gid": "g", "branches": [branch("b1")], "wait": 5});
    let pending = world.post("/api/submit", whole).await;
    assert_eq!(pending.status, 202, "{}", pending.body);
    let shown = &pending.body["transaction"];
    let action = &shown["branches"][0]["operations"][0];
    assert_eq!(
        (&action["calls"], &action["attempts"]),
        (&json!(2), &json!(0)),
        "{action}"
    );
    let waits = shown["waiting_for"].as_str().unwrap();
    assert!(waits.contains("attempt 3 of its action"), "{waits}");
}

#[tokio::test(start_paused = true)]
async fn each_answer_ends_its_line() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    for path in [
        "/api/tx/g",
        "/api/tx/none",
        "/api/tx",
        "/api/tx/g/events",
        "/health",
        "/livez",
    ] {
        let answered = world.get(path).await;
        assert!(
            answered.text.ends_with("}\n") || answered.text.ends_with("]\n"),
            "{path}: {:?}",
            answered.text
        );
        assert_eq!(answered.text.lines().count(), 1, "{path}");
    }
}
