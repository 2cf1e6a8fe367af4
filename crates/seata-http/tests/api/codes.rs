//! The closed list of codes: every one can happen, and the documents name every one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use seata_core::{Gid, Mode, Outcome, Status, UnixMillis};
use seata_engine::{Config, StoreRoom};
use seata_http::{
    Api, ApiConfig, Defaults, ErrorCode, Limits, LocalEndpoints, Rules, Service, status_of,
};
use seata_store::{Append, Chunk, Expected, LeaseChange, Owner, TxnStore};
use serde_json::json;
use tower::ServiceExt;

use crate::world::{World, plus, refused, saga};

#[test]
fn the_documents_list_the_codes_of_the_code() {
    let documented = include_str!("../../../../docs/errors.md");
    let rows: Vec<(String, String)> = documented
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let mut cells = row
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    let known: Vec<_> = ErrorCode::ALL
        .iter()
        .map(|code| {
            (
                code.as_str().to_owned(),
                status_of(*code).as_u16().to_string(),
            )
        })
        .collect();
    assert_eq!(rows, known);
}

#[tokio::test(start_paused = true)]
async fn every_code_is_what_something_is_answered_with() {
    let mut seen = BTreeSet::new();
    let world = World::new().await;
    for (path, body) in [
        ("/api/start", "{"),
        ("/api/start", r#"{"gid":"'"}"#),
        ("/nowhere", "{}"),
        ("/api/abort", r#"{"gid":"none"}"#),
        ("/health", "{}"),
    ] {
        seen.insert(world.post_bytes(path, body).await.code().to_owned());
    }
    world.ok("/api/start", saga("g")).await;
    for (path, body) in [
        ("/api/tx/g/retry", json!({"reason": "x", "branch_id": "b9"})),
        ("/api/tx/g/retry", json!({"reason": "x"})),
        ("/api/start", json!({"gid": "g"})),
        (
            "/api/branch/add",
            json!({"gid": "g", "branch_id": "b1", "action": "http://other/"}),
        ),
        ("/api/start", json!({"x": "x".repeat(100_000)})),
    ] {
        seen.insert(world.post(path, body).await.code().to_owned());
    }
    let untyped = Request::post("/api/start").body(Body::empty()).unwrap();
    seen.insert(world.send(untyped).await.code().to_owned());
    seen.insert(branch_refused().await);
    seen.insert(overloaded().await);
    seen.insert(unreadable().await);
    seen.insert(internal().await);
    seen.insert(store_full().await);
    seen.insert(events_gone().await);
    seen.insert(stopping().await);
    seen.insert(store_down().await);
    let all: BTreeSet<_> = ErrorCode::ALL
        .iter()
        .map(|code| code.as_str().to_owned())
        .collect();
    assert_eq!(seen, all);
}

async fn events_gone() -> String {
    let world = World::new().await;
    let request = Request::get("/api/watch").header("last-event-id", "1-1");
    let answered = world.send(request.body(Body::empty()).unwrap()).await;
    answered.code().to_owned()
}

async fn branch_refused() -> String {
    let world = World::new().await;
    world.say("http://b/", [(0, refused())]);
    world
        .ok("/api/start", json!({"gid": "t", "mode": "tcc"}))
        .await;
    let branch = json!({"gid": "t", "branch_id": "b", "action": "http://b/"});
    let answered = world.post("/api/branch/try", branch).await;
    answered.code().to_owned()
}

async fn overloaded() -> String {
    let mut config = Config::new(Owner(1));
    config.active_max = 1;
    let world = World::with(config).await;
    world.say("http://b1/do", [(60_000, Outcome::Success)]);
    world.ok("/api/submit", saga("first")).await;
    let answered = world.post("/api/submit", saga("second")).await;
    assert_eq!(answered.headers["retry-after"], "1");
    assert_eq!(answered.body["details"]["gid"], "second");
    answered.code().to_owned()
}

async fn unreadable() -> String {
    let world = World::new().await;
    let append = Append {
        gid: Gid::parse("broken").unwrap(),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Stuck,
        wake_at: None,
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from_static(b"\xff\xff\xff")),
        at: UnixMillis(0),
    };
    world.store.append(vec![append]).await.remove(0).unwrap();
    world.get("/api/tx/broken").await.code().to_owned()
}

async fn internal() -> String {
    let world = World::new().await;
    let rules = Rules {
        defaults: Defaults::default(),
        limits: Limits::default(),
        local: LocalEndpoints::Refused,
    };
    let api = Api::new(
        Service::new(world.engine.clone(), rules),
        ApiConfig::default(),
        Arc::new(|| panic!("a bug, secret")),
    );
    let response = api
        .router()
        .oneshot(Request::get("/metrics").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(response.status(), 500);
    let body = axum::body::to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap();
    assert!(!String::from_utf8_lossy(&body).contains("secret"));
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    body["code"].as_str().unwrap().to_owned()
}

async fn store_full() -> String {
    let world = World::new().await;
    world.engine.set_store_room(StoreRoom::Low);
    let answered = world.post("/api/submit", saga("g")).await;
    assert_eq!(answered.headers["retry-after"], "30");
    answered.code().to_owned()
}

async fn stopping() -> String {
    let world = World::new().await;
    world.engine.stop(Duration::ZERO).await;
    world.post("/api/submit", saga("g")).await.code().to_owned()
}

async fn store_down() -> String {
    let world = World::new().await;
    world.down.now();
    let body = plus(saga("g"), json!({"gid": null}));
    let answered = world.post("/api/submit", body).await;
    let gid = answered.body["details"]["gid"].as_str().unwrap();
    assert_eq!(
        gid.len(),
        36,
        "a client that let the server choose can ask again"
    );
    assert!(answered.headers.contains_key("retry-after"));
    answered.code().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_state_tells_the_state() {
    let world = World::new().await;
    world
        .ok("/api/submit", plus(saga("done"), json!({"wait": true})))
        .await;
    let late = world.post("/api/abort", json!({"gid": "done"})).await;
    assert_eq!(late.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(
        late.body["details"],
        json!({"gid": "done", "status": "COMMITTED"})
    );
    world.ok("/api/start", saga("gone")).await;
    world
        .ok("/api/abort", json!({"gid": "gone", "wait": true}))
        .await;
    let late = world.post("/api/submit", json!({"gid": "gone"})).await;
    assert_eq!(late.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(
        late.body["details"],
        json!({"gid": "gone", "status": "ABORTED"})
    );
}
