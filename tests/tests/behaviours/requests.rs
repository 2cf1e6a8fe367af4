//! What clients may ask for, and how they are told when they may not.

use seata_tests::{saga, scene};
use serde_json::{Value, json};

const PAYLOAD_BYTES_MAX: usize = 1 << 20;

#[tokio::test]
async fn a_known_gid_with_other_content_is_a_conflict_and_with_the_same_is_not() {
    let (mut server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = saga("twice")
        .branch("one", at("gate/twice"), at("ok"))
        .with_branch("payload", json!({ "a": 1, "b": 2 }))
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.submit(whole.clone()).await;
    client.submit(whole.clone()).await;
    let others = [
        whole
            .clone()
            .with_branch("payload", json!({ "a": 1, "b": 3 })),
        whole.clone().with_branch("action", at("ok")),
        whole
            .clone()
            .with("options", json!({ "request_timeout_secs": 60 })),
        whole.clone().branch("two", at("ok"), at("ok")),
    ];
    for other in &others {
        let answer = client.post("/api/submit", other.clone()).await;
        answer.refused(409, "GID_CONFLICT");
    }
    participants.open("twice");
    client.reached("twice", "COMMITTED").await;
    // What is compared is in the store.
    server.kill_nine();
    server.start_again().await;
    client.submit(whole).await;
    let [other, ..] = others;
    let answer = client.post("/api/submit", other.clone()).await;
    answer.refused(409, "GID_CONFLICT");
    client
        .post("/api/start", other)
        .await
        .refused(409, "GID_CONFLICT");
    assert_eq!(participants.ledger().calls("twice"), ["one action"]);
}

#[tokio::test]
async fn a_known_branch_with_other_content_is_a_conflict() {
    let (_server, client, participants) = scene().await;
    client
        .post("/api/start", json!({ "gid": "grows" }))
        .await
        .ok();
    let mut branch =
        json!({ "gid": "grows", "branch_id": "one", "action": participants.url("ok") });
    client.post("/api/branch/add", branch.clone()).await.ok();
    client.post("/api/branch/add", branch.clone()).await.ok();
    branch["payload"] = json!(1);
    let answer = client.post("/api/branch/add", branch).await;
    answer.refused(409, "BRANCH_CONFLICT");
}

/// Writes a payload of exactly so many bytes. Its white space, escapes and numbers must not be rewritten either.
fn payload_of(bytes: usize) -> String {
    let head = "{ \"n\": 1.50e+3,\t\"q\": \"\\u00e9 é \\\" 'x'\", \"fill\": \"";
    let fill: String = ('0'..='9').cycle().take(bytes - head.len() - 2).collect();
    let payload = format!("{head}{fill}\"}}");
    assert_eq!(payload.len(), bytes);
    payload
}

fn body_with(gid: &str, payload: &str, action: &str) -> String {
    format!(
        r#"{{"gid":"{gid}","payload":{payload},"branches":[{{"branch_id":"one","action":"{action}"}}],
            "options":{{"request_timeout_secs":600,"retry_interval_secs":0.02}}}}"#
    )
}

#[tokio::test]
async fn a_payload_of_up_to_a_megabyte_arrives_byte_for_byte_from_memory_and_from_the_store() {
    let (mut server, client, participants) = scene().await;
    let action = participants.url("first/1/500/oops/gate/payload");
    let payloads = [1_025, 65_537, PAYLOAD_BYTES_MAX].map(payload_of);
    let gid = |payload: &String| format!("bytes-{}", payload.len());
    for payload in &payloads {
        let body = body_with(&gid(payload), payload, &action);
        client.post_text("/api/submit", body).await.ok();
    }
    participants.arrived("payload", payloads.len()).await;
    server.kill_nine();
    server.start_again().await;
    for payload in &payloads {
        let gid = gid(payload);
        participants.delivered(&gid, "one", "action", 3).await;
    }
    participants.open("payload");
    for payload in &payloads {
        let gid = gid(payload);
        client.reached(&gid, "COMMITTED").await;
        for delivery in participants.ledger().of(&gid) {
            assert!(delivery.body == payload.as_bytes(), "{gid}");
        }
    }
}

#[tokio::test]
async fn a_larger_payload_or_body_is_refused_and_leaves_nothing_behind() {
    let (_server, client, participants) = scene().await;
    let larger = payload_of(PAYLOAD_BYTES_MAX + 1);
    let body = body_with("giga", &larger, &participants.url("ok"));
    let answer = client.post_text("/api/submit", body).await;
    answer.refused(413, "PAYLOAD_TOO_LARGE");
    let answer = client.post_text("/api/submit", vec![b' '; 5 << 20]).await;
    answer.refused(413, "PAYLOAD_TOO_LARGE");
    client
        .get("/api/tx/giga")
        .await
        .refused(404, "TRANSACTION_NOT_FOUND");
    assert_eq!(participants.ledger().all().len(), 0);
}

#[tokio::test]
async fn bytes_that_are_no_json_travel_in_base64_with_their_type() {
    let (_server, client, participants) = scene().await;
    let whole = saga("raw")
        .branch_without_compensation("one", participants.url("ok"))
        .with_branch("payload_base64", "AAEC//4=")
        .with_branch("content_type", "application/x-own");
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
    let delivery = &participants.ledger().of("raw")[0];
    assert_eq!(delivery.body[..], [0, 1, 2, 255, 254]);
    assert_eq!(delivery.header("content-type"), "application/x-own");
}

#[tokio::test]
async fn a_gid_with_quotes_or_markup_is_refused_everywhere() {
    let (_server, client, participants) = scene().await;
    let long = "g".repeat(129);
    for gid in [
        "a'b",
        "a\"b",
        "'; DROP TABLE global_transaction; --",
        "<script>alert(1)</script>",
        "a b",
        "a/b",
        "é",
        "",
        &long,
    ] {
        let whole = saga(gid).branch("one", participants.url("ok"), participants.url("ok"));
        for path in ["/api/submit", "/api/start"] {
            client
                .post(path, whole.clone())
                .await
                .refused(400, "INVALID_GID");
        }
        for path in ["/api/submit", "/api/abort"] {
            let by_gid = client.post(path, json!({ "gid": gid })).await;
            by_gid.refused(400, "INVALID_GID");
        }
        let branch = json!({ "gid": gid, "branch_id": "one", "action": participants.url("ok") });
        let added = client.post("/api/branch/add", branch).await;
        added.refused(400, "INVALID_GID");
    }
    let in_path = ["/api/tx/a%27b", "/api/tx/a%22b/events", "/api/tx/%3Cb%3E"];
    for path in in_path {
        let answer = client.get(path).await;
        answer.refused(400, "INVALID_GID");
        // No browser takes what was sent for a page.
        assert_eq!(answer.header("content-type"), "application/json");
    }
    for order in ["retry", "skip", "force"] {
        let body = json!({ "branch_id": "one", "to": "aborted", "reason": "r" });
        let answer = client.post(&format!("/api/tx/a%27b/{order}"), body).await;
        answer.refused(400, "INVALID_GID");
    }
    let listed = client.get("/api/tx?gid_prefix=%27%20OR%201=1").await;
    listed.refused(400, "INVALID_REQUEST");
    assert_eq!(client.get("/api/tx").await.ok(), json!([]));
    assert_eq!(participants.ledger().all().len(), 0);
}

#[tokio::test]
async fn a_misspelt_field_of_a_branch_or_of_options_is_refused_with_the_nearest_known_one() {
    let (_server, client, participants) = scene().await;
    let at = |steps: &str| participants.url(steps);
    let whole = || saga("typo").branch_without_compensation("one", at("ok"));
    let cases: [(Value, &str, &str); 3] = [
        (
            whole().with_branch("compensaton", at("ok")).into(),
            "compensaton",
            "compensation",
        ),
        (
            whole().with("options", json!({ "max_atempts": 3 })).into(),
            "max_atempts",
            "max_attempts",
        ),
        (
            whole()
                .with_branch("options", json!({ "request_timeout": 3 }))
                .into(),
            "request_timeout",
            "request_timeout_secs",
        ),
    ];
    for (body, wrong, right) in cases {
        let answer = client.post("/api/submit", body).await;
        answer.refused(400, "INVALID_REQUEST");
        let text = answer.body["error"].as_str().unwrap();
        assert!(text.contains(wrong) && text.contains(right), "{text}");
    }
    // Elsewhere a field that is not known yet does no harm.
    let answer = client.run(whole().with("colour", "blue")).await;
    assert_eq!(answer["status"], "COMMITTED");
}

#[tokio::test]
async fn bad_requests_are_refused_by_name_and_leave_nothing_behind() {
    let (_server, client, participants) = scene().await;
    let ok = participants.url("ok");
    let branch = json!({ "branch_id": "one", "action": ok });
    let with = |field: &str, value: Value| {
        let mut branch = branch.clone();
        branch[field] = value;
        json!({ "gid": "bad", "branches": [branch] })
    };
    let after = |one: &str, two: &str| {
        json!({ "gid": "bad", "branches": [
            { "branch_id": "one", "action": ok, "after": [one] },
            { "branch_id": "two", "action": ok, "after": [two] } ] })
    };
    let cases = [
        (with("action", json!("ftp://x/y")), "action"),
        (with("action", json!("not a url")), "action"),
        (with("action", json!(7)), "action"),
        (with("compensation", json!("http://")), "compensation"),
        (with("branch_id", json!("a b")), "branch_id"),
        (
            with("options", json!({ "max_attempts": "three" })),
            "max_attempts",
        ),
        (
            with("options", json!({ "request_timeout_secs": -1 })),
            "request_timeout_secs",
        ),
        (
            with("headers", json!({ "idempotency-key": "mine" })),
            "idempotency-key",
        ),
        (after("two", "one"), "one"),
        (after("two", "nobody"), "nobody"),
        (json!({ "gid": "bad", "branches": [branch, branch] }), "one"),
        (
            json!({ "gid": "bad", "mode": "sagga", "branches": [branch] }),
            "mode",
        ),
        (
            json!({ "gid": "bad", "wait": "long", "branches": [branch] }),
            "wait",
        ),
        (json!({ "gid": "bad", "branches": [] }), "branch"),
        (json!({ "gid": 7, "branches": [branch] }), "gid"),
        (json!([]), "object"),
        (json!({}), "gid"),
    ];
    for (body, named) in cases {
        let shown = body.to_string();
        let answer = client.post("/api/submit", body).await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
        let text = answer.body["error"].as_str().unwrap();
        assert!(text.contains(named), "{shown}: {text}");
    }
    for text in [
        "",
        "{",
        "{\"gid\":",
        "nonsense",
        "{\"gid\":\"bad\"} more",
        "\u{0}",
    ] {
        let answer = client.post_text("/api/submit", text.to_owned()).await;
        answer.refused(400, "INVALID_REQUEST");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(client.post_text("/api/submit", deep).await.status, 400);
    client
        .get("/api/tx/bad")
        .await
        .refused(404, "TRANSACTION_NOT_FOUND");
    client
        .get("/api/nothing")
        .await
        .refused(404, "ROUTE_NOT_FOUND");
    client
        .get("/api/submit")
        .await
        .refused(405, "METHOD_NOT_ALLOWED");
    let unknown = json!({ "gid": "nobody" });
    for path in ["/api/submit", "/api/abort"] {
        let answer = client.post(path, unknown.clone()).await;
        answer.refused(404, "TRANSACTION_NOT_FOUND");
    }
    assert_eq!(participants.ledger().all().len(), 0);
    assert_eq!(client.get("/health").await.status, 200);
}
