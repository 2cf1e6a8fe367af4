//! TCC, and completion from outside.

use std::time::Duration;

use seata_core::{Gid, Outcome};
use serde_json::{Value, json};

use crate::world::{World, plus, refused, unknown};

/// A branch of a TCC with three endpoints, and the gid that it belongs to.
fn branch(gid: &str, name: &str) -> Value {
    json!({
        "gid": gid,
        "branch_id": name,
        "action": format!("http://{name}/try"),
        "confirm": format!("http://{name}/confirm"),
        "cancel": format!("http://{name}/cancel"),
    })
}

fn one(gid: &str, name: &str) -> Value {
    json!({"gid": gid, "branch_id": name})
}

async fn begun() -> World {
    let world = World::new().await;
    world
        .ok("/api/start", json!({"gid": "t", "mode": "tcc"}))
        .await;
    world
}

/// Answers which endpoints were called so far.
fn called(world: &World) -> Vec<String> {
    let calls = world.script.calls.lock().unwrap();
    let calls = calls.iter();
    calls
        .map(|call| call.endpoint.as_str().to_owned())
        .collect()
}

async fn waiting_for(world: &World) -> String {
    let view = world.get("/api/tx/t").await.body;
    view["waiting_for"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn tries_are_called_one_by_one_and_a_submission_confirms_all() {
    let world = begun().await;
    for name in ["a", "b"] {
        let tried = world.ok("/api/branch/try", branch("t", name)).await;
        assert_eq!(
            tried,
            json!({"status": "success", "gid": "t", "branch_id": name, "transaction_status": "PREPARED"})
        );
    }
    assert_eq!(called(&world), ["http://a/try", "http://b/try"]);
    let ended = world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(ended["status"], "committed");
    let a = &ended["transaction"]["branches"][0];
    assert_eq!(a["status"], "CONFIRMED");
    assert_eq!(a["action"], "http://a/try");
    assert_eq!(a["confirm"], "http://a/confirm");
    assert_eq!(a["cancel"], "http://a/cancel");
    assert!(
        a.get("compensation").is_none() && a.get("after").is_none(),
        "{a}"
    );
    let again = world.ok("/api/submit", json!({"gid": "t"})).await;
    assert_eq!(again["transaction_status"], "COMMITTED");
    let mut confirms = called(&world).split_off(2);
    confirms.sort();
    assert_eq!(confirms, ["http://a/confirm", "http://b/confirm"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_try_can_only_be_aborted() {
    let world = begun().await;
    world.say("http://a/try", [(0, refused())]);
    for _ in 0..2 {
        let answered = world.post("/api/branch/try", branch("t", "a")).await;
        assert_eq!(answered.code(), "BRANCH_REFUSED");
        assert_eq!(
            answered.body["details"],
            json!({"gid": "t", "branch_id": "a", "reason": "409 Conflict: sold out",
                   "status": "PREPARED", "branch_status": "REFUSED"})
        );
    }
    let submitted = world.post("/api/submit", json!({"gid": "t"})).await;
    let waits = waiting_for(&world).await;
    let said =
        "an abort: branch a refused its try: 409 Conflict: sold out; without one it is aborted at ";
    assert!(waits.starts_with(said), "{waits}");
    assert_eq!(submitted.code(), "BRANCH_REFUSED");
    assert_eq!(
        submitted.body["details"]["reason"],
        "409 Conflict: sold out"
    );
    assert!(submitted.error().contains("sold out"), "{submitted:?}");
    let ended = world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(ended["transaction"]["branches"][0]["status"], "CANCELLED");
    assert_eq!(called(&world), ["http://a/try", "http://a/cancel"]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_a_reason_shows_none() {
    let world = begun().await;
    world.ok("/api/branch/register", branch("t", "a")).await;
    let failed = plus(one("t", "a"), json!({"operation": "try", "reason": ""}));
    world.ok("/api/branch/fail", failed).await;
    let submitted = world.post("/api/submit", json!({"gid": "t"})).await;
    assert_eq!(submitted.code(), "BRANCH_REFUSED");
    assert!(
        submitted.body["details"].get("reason").is_none(),
        "{submitted:?}"
    );
    let view = world.get("/api/tx/t").await.body;
    let tried = &view["branches"][0]["operations"][0];
    assert_eq!(
        (&tried["status"], &tried["last_error"]),
        (&json!("REFUSED"), &Value::Null)
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_nobody_knows_is_asked_again_by_the_same_body() {
    let world = begun().await;
    world.say("http://a/try", [(0, unknown())]);
    let answered = world.post("/api/branch/try", branch("t", "a")).await;
    assert_eq!(answered.status, 202);
    assert_eq!(
        answered.body,
        json!({"status": "pending", "gid": "t", "branch_id": "a", "transaction_status": "PREPARED",
               "reason": "503 Service Unavailable"})
    );
    let waits = waiting_for(&world).await;
    let said =
        "its submission, which needs the try of a to be sent again; without one it is aborted at ";
    assert!(waits.starts_with(said), "{waits}");
    let submitted = world.post("/api/submit", json!({"gid": "t"})).await;
    assert_eq!(submitted.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(submitted.body["details"]["branch_id"], "a");
    let other = plus(branch("t", "a"), json!({"cancel": "http://other/"}));
    let answered = world.post("/api/branch/try", other).await;
    assert_eq!(answered.code(), "BRANCH_CONFLICT");
    world.ok("/api/branch/try", branch("t", "a")).await;
    let waits = waiting_for(&world).await;
    assert!(waits.starts_with("its submission; "), "{waits}");
    let ended = world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(ended["status"], "committed");
    let calls = ["http://a/try", "http://a/try", "http://a/confirm"];
    assert_eq!(called(&world), calls);
}

#[tokio::test(start_paused = true)]
async fn a_registered_branch_is_confirmed_and_its_try_is_called_by_nobody() {
    let world = begun().await;
    let registered = json!({"gid": "t", "branch_id": "a", "action": "http://a/all"});
    for _ in 0..2 {
        let answer = world.ok("/api/branch/register", registered.clone()).await;
        assert_eq!(answer, json!({"status": "success"}));
    }
    let tried = world.post("/api/branch/try", registered).await;
    assert_eq!(tried.code(), "BRANCH_CONFLICT", "registered is not tried");
    let said = "branch a was registered for the initiator to call its try";
    assert!(tried.error().starts_with(said), "{tried:?}");
    world.ok("/api/branch/try", branch("t", "b")).await;
    let registered = world.post("/api/branch/register", branch("t", "b")).await;
    assert_eq!(registered.code(), "BRANCH_CONFLICT");
    let said = "branch b was added for the coordinator to call its try";
    assert!(registered.error().starts_with(said), "{registered:?}");
    let view = world.get("/api/tx/t").await.body;
    assert_eq!(view["branches"][0]["status"], "REGISTERED");
    assert_eq!(view["branches"][0]["action"], Value::Null);
    let succeeded = plus(one("t", "a"), json!({"operation": "try"}));
    world.ok("/api/branch/succeed", succeeded).await;
    let view = world.get("/api/tx/t").await.body;
    assert_eq!(view["branches"][0]["status"], "TRIED");
    world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    let calls = called(&world);
    let of_a: Vec<_> = calls.iter().filter(|call| call.contains("/a/")).collect();
    assert_eq!(of_a, ["http://a/all"]);
}

#[tokio::test(start_paused = true)]
async fn a_whole_tcc_in_one_request_is_registered_and_confirmed() {
    let world = World::new().await;
    let branches = json!([
        {"branch_id": "a", "action": "http://a/"},
        {"branch_id": "b", "confirm": "http://b/confirm", "cancel": "http://b/cancel"},
    ]);
    let whole = json!({"gid": "t", "mode": "tcc", "branches": branches, "wait": true});
    let ended = world.ok("/api/submit", whole.clone()).await;
    assert_eq!(ended["status"], "committed");
    let mut calls = called(&world);
    calls.sort();
    assert_eq!(calls, ["http://a/", "http://b/confirm"]);
    let again = world.ok("/api/submit", whole).await;
    assert_eq!(again["status"], "committed");
    assert_eq!(called(&world).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn contrary_orders_are_told_the_state_as_it_is() {
    let world = begun().await;
    world.ok("/api/branch/register", branch("t", "a")).await;
    world.say("http://a/cancel", (0..100).map(|_| (0, unknown())));
    let cancelled = world.ok("/api/branch/cancel", one("t", "a")).await;
    assert_eq!(
        cancelled,
        json!({"status": "success", "gid": "t", "transaction_status": "ABORTING"})
    );
    for (path, body) in [
        ("/api/branch/confirm", one("t", "a")),
        ("/api/submit", json!({"gid": "t"})),
        ("/api/branch/register", branch("t", "late")),
        ("/api/branch/try", branch("t", "late")),
        (
            "/api/branch/succeed",
            plus(one("t", "a"), json!({"operation": "confirm"})),
        ),
    ] {
        let answered = world.post(path, body).await;
        assert_eq!(answered.code(), "INVALID_STATUS_TRANSITION", "{path}");
        assert_eq!(answered.body["details"]["gid"], "t", "{path}");
        assert_eq!(answered.body["details"]["status"], "ABORTING", "{path}");
    }
    world.ok("/api/branch/cancel", one("t", "a")).await;
    // It may mean the try, of which nothing was told.
    let unclear = world.post("/api/branch/succeed", one("t", "a")).await;
    assert_eq!(unclear.code(), "INVALID_STATUS_TRANSITION");
    let succeeded = plus(one("t", "a"), json!({"operation": "cancel"}));
    world.ok("/api/branch/succeed", succeeded).await;
    let view = world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(view["status"], "aborted");
    let kinds = world.get("/api/tx/t/events").await.body;
    let kinds: Vec<_> = kinds
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert!(kinds.contains(&json!("completed")), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_branch_of_the_other_mode_is_refused() {
    let world = begun().await;
    world.ok("/api/start", json!({"gid": "s"})).await;
    for (path, body) in [
        (
            "/api/branch/add",
            json!({"gid": "t", "branch_id": "a", "action": "http://a/"}),
        ),
        ("/api/branch/register", branch("s", "a")),
        ("/api/branch/try", branch("s", "a")),
    ] {
        let answered = world.post(path, body).await;
        assert_eq!(answered.code(), "INVALID_STATUS_TRANSITION", "{path}");
        assert!(
            answered.body["details"]["mode"].is_string(),
            "{path} {answered:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_branch_of_a_tcc_is_named() {
    let world = begun().await;
    for (path, body, field) in [
        ("/api/branch/try", one("t", "a"), "action"),
        ("/api/branch/register", one("t", "a"), "confirm"),
        (
            "/api/branch/register",
            plus(one("t", "a"), json!({"confirm": "http://a/"})),
            "cancel",
        ),
        (
            "/api/branch/register",
            plus(branch("t", "a"), json!({"compensation": "http://a/"})),
            "compensation",
        ),
        (
            "/api/branch/try",
            plus(branch("t", "a"), json!({"after": ["b"]})),
            "after",
        ),
        ("/api/branch/add", branch("t", "a"), "confirm"),
        (
            "/api/submit",
            json!({"mode": "tcc", "branches": [{"branch_id": "a"}]}),
            "branches[0].confirm",
        ),
        ("/api/branch/confirm", json!({"gid": "t"}), "branch_id"),
        (
            "/api/branch/fail",
            plus(one("t", "a"), json!({"operation": "undo"})),
            "operation",
        ),
    ] {
        let answered = world.post(path, body).await;
        assert_eq!(answered.code(), "INVALID_REQUEST", "{path}");
        assert_eq!(
            answered.body["details"]["field"], field,
            "{path}: {answered:?}"
        );
    }
    for path in [
        "/api/branch/confirm",
        "/api/branch/cancel",
        "/api/branch/succeed",
        "/api/branch/fail",
    ] {
        assert_eq!(
            world.post(path, one("none", "a")).await.code(),
            "TRANSACTION_NOT_FOUND"
        );
        assert_eq!(
            world.post(path, one("t", "a")).await.code(),
            "BRANCH_NOT_FOUND",
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_undecided_tcc_is_cancelled_at_its_deadline() {
    let world = begun().await;
    world.ok("/api/branch/try", branch("t", "a")).await;
    tokio::time::sleep(Duration::from_secs(34)).await;
    assert_eq!(world.get("/api/tx/t").await.body["status"], "PREPARED");
    let ended = world
        .engine
        .wait(Gid::parse("t").unwrap(), Duration::from_secs(5))
        .await;
    assert!(ended.is_ok());
    assert_eq!(world.get("/api/tx/t").await.body["status"], "ABORTED");
}

#[tokio::test(start_paused = true)]
async fn a_failed_action_turns_a_saga_that_was_ongoing() {
    let world = World::new().await;
    world.say("http://a/do", (0..100).map(|_| (0, Outcome::Ongoing)));
    let branch =
        json!({"branch_id": "a", "action": "http://a/do", "compensation": "http://a/undo"});
    world
        .ok("/api/submit", json!({"gid": "s", "branches": [branch]}))
        .await;
    let failed = plus(
        one("s", "a"),
        json!({"operation": "action", "reason": "sold out"}),
    );
    world.ok("/api/branch/fail", failed).await;
    let ended = world
        .ok("/api/abort", json!({"gid": "s", "wait": true}))
        .await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(called(&world).last().unwrap(), "http://a/undo");
    let late = world
        .post(
            "/api/branch/succeed",
            plus(one("s", "a"), json!({"operation": "action"})),
        )
        .await;
    assert_eq!(late.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(late.body["details"]["status"], "ABORTED");
}
