//! Query parameters of routes that take none, and slips of the pen in names.

use serde_json::json;

use crate::world::{World, branch, plus};

#[tokio::test(start_paused = true)]
async fn a_parameter_that_a_path_does_not_take_is_refused_by_name() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    for path in ["/api/tx/g", "/api/tx/g/events", "/api/tx/g/watch"] {
        let answered = world.get(&format!("{path}?verbose=1")).await;
        assert_eq!(answered.code(), "INVALID_REQUEST", "{path}");
        assert_eq!(answered.body["details"]["field"], "verbose", "{path}");
        assert_eq!(
            answered.error(),
            "verbose: unknown parameter: this path takes none"
        );
    }
    for path in [
        "/api/start",
        "/api/submit",
        "/api/abort",
        "/api/branch/add",
        "/api/branch/try",
        "/api/branch/register",
        "/api/branch/confirm",
        "/api/branch/cancel",
        "/api/branch/succeed",
        "/api/branch/fail",
        "/api/tx/g/retry",
        "/api/tx/g/skip",
        "/api/tx/g/force",
    ] {
        let answered = world
            .post(&format!("{path}?wait=true"), json!({"gid": "g"}))
            .await;
        assert_eq!(answered.code(), "INVALID_REQUEST", "{path}");
        assert_eq!(
            answered.error(),
            "wait: unknown parameter: this path takes none, give it in the body",
            "{path}"
        );
    }
    let view = world.get("/api/tx/g").await.body;
    assert_eq!(view["status"], "PREPARED", "nothing was done");
}

#[tokio::test(start_paused = true)]
async fn the_last_event_in_a_query_is_told_the_header() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    for path in [
        "/api/tx/g/watch?last_event_id=1",
        "/api/watch?lastEventId=1",
    ] {
        let answered = world.get(path).await;
        assert_eq!(answered.code(), "INVALID_REQUEST", "{path}");
        assert!(
            answered.error().contains("header `last-event-id`"),
            "{answered:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_behind_an_event_that_is_not_there_is_told_the_last_one() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    let request = http::Request::get("/api/tx/g/watch").header("last-event-id", "7");
    let body = axum::body::Body::empty();
    let answered = world.send(request.body(body).unwrap()).await;
    assert_eq!(answered.code(), "INVALID_REQUEST");
    assert_eq!(
        answered.body["details"],
        json!({"gid": "g", "last_event": 1})
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_name_that_is_near_is_offered() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    let with = |more| plus(plus(branch("a"), json!({"gid": "g"})), more);
    let misspelt = world
        .post(
            "/api/branch/add",
            with(json!({"compensatoin": "http://a/"})),
        )
        .await;
    assert!(
        misspelt
            .error()
            .contains("the nearest known one is `compensation`")
    );
    let tried = world
        .post("/api/branch/add", with(json!({"try": "http://a/"})))
        .await;
    assert!(
        tried.error().contains("the endpoint of a try is `action`"),
        "{tried:?}"
    );
    let other = world
        .post("/api/branch/add", with(json!({"wait": true})))
        .await;
    assert!(!other.error().contains("nearest"), "{other:?}");
    assert!(
        other.error().contains("known are `gid`, `branch_id`"),
        "{other:?}"
    );
    let listed = world.get("/api/tx?colour=red").await;
    assert!(!listed.error().contains("nearest"), "{listed:?}");
    assert!(listed.error().contains("known are `limit`, "), "{listed:?}");
}
