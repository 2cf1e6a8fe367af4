//! One table, asked over both.

use seata_core::Outcome;
use serde_json::{Value, json};

use crate::world::World;

fn branch(name: &str) -> Value {
    json!({"branch_id": name, "action": format!("http://{name}/do"), "compensation": format!("http://{name}/undo")})
}

/// The same object with more fields.
fn plus(mut object: Value, more: Value) -> Value {
    let more = more.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(more);
    object
}

fn tcc(gid: &str, name: &str) -> Value {
    let confirm = format!("http://{name}/confirm");
    json!({"gid": gid, "branch_id": name, "action": format!("http://{name}/try"), "confirm": confirm})
}

/// Paths and bodies, in this order, on one world. Without a body: a GET.
fn table() -> Vec<(&'static str, Option<Value>)> {
    let one = |gid: &str, name: &str| json!({"gid": gid, "branch_id": name});
    let all = json!({
        "request_timeout_secs": 1.5, "retry_interval_secs": 0.2, "retry_interval_max_secs": 5, "max_attempts": 3,
        "headers": {"X-One": "1"}, "timeout_to_fail_secs": 60, "prepared_timeout_secs": 20,
        "branch_parallelism": 2, "order": "sequential",
    });
    let some = json!({"request_timeout_secs": 2, "max_attempts": 0});
    let rich = plus(
        branch("a"),
        json!({"payload": [1, 2], "headers": {"x-two": "2"}, "options": some}),
    );
    let last = plus(branch("b"), json!({"after": ["a"]}));
    let whole = json!({"gid": "g1", "mode": "saga", "payload": {"n": 1}, "options": all, "branches": [rich, last]});
    let refused = json!({"gid": "g2", "branches": [branch("a"), branch("no")], "wait": true});
    let slow = json!({"gid": "g3", "branches": [branch("slow")]});
    let posts = [
        // A saga in one request, with everything that can be given.
        ("/api/submit", plus(whole.clone(), json!({"wait": true}))),
        ("/api/submit", whole.clone()),
        (
            "/api/submit",
            plus(whole.clone(), json!({"payload": {"n": 2}})),
        ),
        ("/api/start", whole),
        ("/api/submit", refused),
        ("/api/submit", plus(slow, json!({"wait": 0.5}))),
        ("/api/abort", json!({"gid": "g3", "reason": "enough"})),
        ("/api/abort", json!({"gid": "g3", "wait": true})),
        ("/api/abort", json!({"gid": "g1"})),
        ("/api/submit", json!({"gid": "g3"})),
        // Step by step.
        ("/api/start", json!({"gid": "s"})),
        ("/api/start", json!({"gid": "s"})),
        ("/api/submit", json!({"gid": "s"})),
        ("/api/branch/add", plus(branch("a"), json!({"gid": "s"}))),
        ("/api/branch/add", plus(branch("a"), json!({"gid": "s"}))),
        (
            "/api/branch/add",
            plus(branch("a"), json!({"gid": "s", "action": "http://x/"})),
        ),
        ("/api/branch/register", tcc("s", "t")),
        ("/api/submit", json!({"gid": "s", "wait": 10})),
        ("/api/branch/add", plus(branch("late"), json!({"gid": "s"}))),
        // TCC.
        (
            "/api/start",
            json!({"gid": "t", "mode": "tcc", "options": {"timeout_to_fail_secs": 5}}),
        ),
        ("/api/branch/try", tcc("t", "x")),
        ("/api/branch/try", tcc("t", "x")),
        ("/api/branch/try", tcc("t", "unknown")),
        ("/api/submit", json!({"gid": "t"})),
        ("/api/branch/try", tcc("t", "unknown")),
        ("/api/branch/register", tcc("t", "y")),
        (
            "/api/branch/succeed",
            plus(one("t", "y"), json!({"operation": "try"})),
        ),
        ("/api/branch/confirm", one("t", "nobody")),
        ("/api/branch/confirm", one("t", "x")),
        ("/api/branch/cancel", one("t", "x")),
        ("/api/submit", json!({"gid": "t", "wait": true})),
        ("/api/start", json!({"gid": "u", "mode": "tcc"})),
        ("/api/branch/try", tcc("u", "no")),
        ("/api/branch/confirm", one("u", "no")),
        ("/api/branch/cancel", one("u", "no")),
        ("/api/abort", json!({"gid": "u", "wait": true})),
        ("/api/branch/try", tcc("u", "no")),
        ("/api/start", json!({"gid": "d", "mode": "tcc"})),
        ("/api/branch/try", tcc("d", "x")),
        ("/api/branch/register", tcc("d", "y")),
        ("/api/abort", json!({"gid": "d"})),
        ("/api/branch/try", tcc("d", "x")),
        ("/api/branch/register", tcc("d", "y")),
        (
            "/api/branch/fail",
            plus(
                one("u", "no"),
                json!({"operation": "confirm", "reason": "late"}),
            ),
        ),
        (
            "/api/submit",
            json!({"gid": "v", "mode": "tcc", "branches": [{"branch_id": "a", "action": "http://a/"}], "wait": true}),
        ),
        // Operators.
        (
            "/api/submit",
            json!({"gid": "o", "branches": [branch("a"), branch("no")], "wait": 0}),
        ),
        ("/api/tx/o/retry", json!({"reason": "back"})),
        (
            "/api/submit",
            json!({"gid": "p", "branches": [branch("slow")]}),
        ),
        (
            "/api/tx/p/retry",
            json!({"reason": "x", "branch_id": "nobody"}),
        ),
        ("/api/tx/p/skip", json!({"reason": "x"})),
        (
            "/api/tx/p/skip",
            json!({"reason": "by hand", "branch_id": "slow", "operation": "action"}),
        ),
        ("/api/tx/p/force", json!({"reason": "x"})),
        (
            "/api/tx/p/force",
            json!({"reason": "by hand", "to": "committed"}),
        ),
        (
            "/api/tx/p/force",
            json!({"reason": "by hand", "to": "aborted"}),
        ),
        // Wrong in itself.
        ("/api/start", json!({"gid": "a'b"})),
        (
            "/api/start",
            json!({"options": {"request_timeout_secs": 0}}),
        ),
        (
            "/api/start",
            json!({"options": {"retry_interval_secs": 5, "retry_interval_max_secs": 1}}),
        ),
        (
            "/api/start",
            json!({"options": {"timeout_to_fail_secs": 1e9}}),
        ),
        (
            "/api/start",
            json!({"options": {"max_attempts": 4_000_000}}),
        ),
        ("/api/start", json!({"options": {"branch_parallelism": 0}})),
        (
            "/api/start",
            json!({"options": {"headers": {"seata-gid": "x"}}}),
        ),
        ("/api/start", json!({"options": {"headers": {"x y": "x"}}})),
        (
            "/api/start",
            json!({"gid": "big", "payload": "x".repeat(17_000)}),
        ),
        (
            "/api/start",
            json!({"gid": "huge", "branches": [plus(branch("a"), json!({"headers": {"x": "x".repeat(70_000)}}))]}),
        ),
        ("/api/submit", json!({"branches": []})),
        ("/api/submit", json!({})),
        ("/api/submit", json!({"gid": "none"})),
        ("/api/submit", json!({"gid": "g1", "wait": 301})),
        ("/api/submit", json!({"branches": [{"branch_id": "a"}]})),
        (
            "/api/submit",
            json!({"branches": [{"action": "http://a/"}]}),
        ),
        (
            "/api/submit",
            json!({"branches": [{"branch_id": "a b", "action": "http://a/"}]}),
        ),
        (
            "/api/submit",
            json!({"branches": [{"branch_id": "a", "action": "ftp://a/"}]}),
        ),
        (
            "/api/submit",
            json!({"branches": [{"branch_id": "a", "action": "local://a"}]}),
        ),
        (
            "/api/submit",
            json!({"branches": [plus(branch("a"), json!({"cancel": "http://a/"}))]}),
        ),
        (
            "/api/submit",
            json!({"gid": "w", "branches": [branch("a"), branch("a")]}),
        ),
        (
            "/api/submit",
            json!({"gid": "w", "branches": [plus(branch("a"), json!({"after": ["z"]}))]}),
        ),
        (
            "/api/submit",
            json!({"gid": "w", "branches": [plus(branch("a"), json!({"after": ["b"]})), plus(branch("b"), json!({"after": ["a"]}))]}),
        ),
        (
            "/api/submit",
            json!({"mode": "tcc", "branches": [{"branch_id": "a", "confirm": "http://a/"}]}),
        ),
        ("/api/branch/add", branch("a")),
        (
            "/api/branch/add",
            json!({"gid": "none", "branch_id": "a", "action": "http://a/"}),
        ),
        ("/api/branch/try", json!({"gid": "t", "branch_id": "z"})),
        ("/api/branch/succeed", json!({"gid": "t"})),
        ("/api/abort", json!({"gid": "none"})),
        ("/api/tx/none/retry", json!({"reason": "x"})),
        ("/api/tx/g1/retry", json!({"reason": " "})),
    ];
    let gets = [
        "/api/tx/g1",
        "/api/tx/g2",
        "/api/tx/g3",
        "/api/tx/t",
        "/api/tx/u",
        "/api/tx/p",
        "/api/tx/none",
        "/api/tx/g1/events",
        "/api/tx/g2/events",
        "/api/tx/t/events",
        "/api/tx/u/events",
        "/api/tx/p/events",
        "/api/tx/none/events",
        "/api/tx?limit=3",
        "/api/tx?limit=0",
        "/api/tx?limit=1001",
        "/api/tx?limit=2&offset=1",
        "/api/tx?offset=10001",
        "/api/tx?status=COMMITTED",
        "/api/tx?mode=tcc",
        "/api/tx?gid_prefix=g",
        "/api/tx?gid_prefix=%27",
        "/api/tx?cursor=x",
        "/api/tx?cursor=1~g&offset=1",
    ];
    let posts = posts.into_iter().map(|(path, body)| (path, Some(body)));
    posts.chain(gets.map(|path| (path, None))).collect()
}

async fn scripted() -> World {
    let world = World::new().await;
    let refusal = || Outcome::Failure {
        reason: "409 Conflict: sold out".into(),
    };
    let unknown = || Outcome::Unknown {
        reason: "503 Service Unavailable".into(),
    };
    world.say("http://no/do", (0..9).map(|_| (0, refusal())));
    world.say("http://no/try", [(0, refusal())]);
    world.say("http://slow/do", (0..9).map(|_| (700, unknown())));
    world.say("http://unknown/try", [(0, unknown())]);
    world
}

#[tokio::test(start_paused = true)]
async fn the_same_requests_are_answered_alike() {
    // One after the other: each world begins at its own zero and lives through the same times.
    let mut over_http = Vec::new();
    let world = scripted().await;
    for (path, body) in table() {
        over_http.push(world.http(path, body.as_ref()).await);
    }
    let world = scripted().await;
    let mut kinds = std::collections::BTreeSet::new();
    for ((path, body), over_http) in table().into_iter().zip(over_http) {
        let over_grpc = world.grpc(&path.replace("%27", "'"), body.as_ref()).await;
        kinds.insert(over_http.code().to_owned());
        assert_eq!(over_http, over_grpc, "{path} {body:?}");
    }
    let codes = [
        "",
        "BRANCH_CONFLICT",
        "BRANCH_NOT_FOUND",
        "BRANCH_REFUSED",
        "GID_CONFLICT",
        "INVALID_GID",
        "INVALID_REQUEST",
        "INVALID_STATUS_TRANSITION",
        "PAYLOAD_TOO_LARGE",
        "TRANSACTION_NOT_FOUND",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), codes);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_over_one_is_the_same_content_over_the_other() {
    let world = World::new().await;
    let options = json!({"retry_interval_secs": 0.25, "headers": {"B": "2", "a": "1"}});
    let rich = plus(
        branch("a"),
        json!({"payload": {"z": 1, "a": [true, null]}, "headers": {"x": "y"}}),
    );
    let whole = json!({"gid": "g", "payload": {"n": 1.50}, "options": options, "branches": [rich]});
    for (path, body) in [
        ("/api/start", whole),
        ("/api/start", json!({"gid": "t", "mode": "tcc"})),
        ("/api/branch/register", tcc("t", "x")),
        ("/api/branch/try", tcc("t", "y")),
        (
            "/api/branch/add",
            plus(branch("late"), json!({"gid": "g", "after": ["a"]})),
        ),
        (
            "/api/branch/add",
            plus(branch("raw"), json!({"gid": "g", "payload_base64": "AAH/"})),
        ),
        (
            "/api/branch/add",
            plus(
                branch("text"),
                json!({"gid": "g", "payload_base64": "e30=", "content_type": "text/plain"}),
            ),
        ),
    ] {
        let over_http = world.http(path, Some(&body)).await;
        assert_eq!(over_http.code(), "", "{path}: {over_http:?}");
        assert_eq!(world.grpc(path, Some(&body)).await, over_http, "{path}");
    }
}
