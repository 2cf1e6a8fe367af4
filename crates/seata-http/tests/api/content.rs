//! The same request again, and a contrary one under the same name.

use serde_json::json;

use crate::world::{World, branch, plus, saga};

#[tokio::test(start_paused = true)]
async fn the_same_transaction_in_other_words_is_the_same() {
    let world = World::new().await;
    let first = r#"{"gid":"g","payload":{"a":1,"b":"A"},"branches":[{"branch_id":"b1","action":"http://b1/do","compensation":"http://b1/undo",
        "options":{"request_timeout_secs":2,"headers":{"x-a":"1","x-b":"2"}}}]}"#;
    let again = r#"{ "branches" : [ {"options":{"headers":{"X-B":"2","X-A":"1"},"request_timeout_secs":2.0}, "after":[], "payload": null,
        "compensate":"http://b1/undo","action":"http:\/\/b1/do","branch_id":"b1" } ], "wait": 1, "unknown": {"is": "ignored"},
        "mode":"saga", "payload" : {"b":"\u0041", "a":1}, "gid":"g" }"#;
    assert_eq!(world.post_bytes("/api/start", first).await.status, 200);
    assert_eq!(world.post_bytes("/api/start", again).await.status, 200);
    let submitted = world.post_bytes("/api/submit", again).await;
    assert_eq!(
        (submitted.status.as_u16(), &submitted.body["status"]),
        (200, &json!("committed"))
    );
    let repeated = world.post_bytes("/api/submit", first).await;
    assert_eq!(repeated.status, 200);
    assert_eq!(repeated.body["transaction_status"], "COMMITTED");
    assert_eq!(world.script.calls.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_known_gid_with_other_content_is_a_conflict_and_changes_nothing() {
    let world = World::new().await;
    world
        .ok("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    let before = world.get("/api/tx/g").await.body;
    let contrary = [
        json!({"payload": 1}),
        json!({"payload_base64": "MQ=="}),
        json!({"options": {"max_attempts": 3}}),
        json!({"options": {"request_timeout_secs": 3}}),
        json!({"options": {"order": "concurrent"}}),
        json!({"options": {"headers": {"x": "y"}}}),
        json!({"branches": [branch("b2"), branch("b1")]}),
        json!({"branches": [branch("b1")]}),
        json!({"branches": [branch("b1"), plus(branch("b2"), json!({"after": ["b1"]}))]}),
        json!({"branches": [branch("b1"), plus(branch("b2"), json!({"payload": {}}))]}),
        json!({"branches": [branch("b1"), plus(branch("b2"), json!({"compensation": null}))]}),
        json!({"branches": [branch("b1"), plus(branch("b2"), json!({"options": {"retry_interval_secs": 1}}))]}),
    ];
    for change in contrary {
        for path in ["/api/submit", "/api/start"] {
            let conflict = world.post(path, plus(saga("g"), change.clone())).await;
            assert_eq!(
                (conflict.status.as_u16(), conflict.code()),
                (409, "GID_CONFLICT"),
                "{change}"
            );
            assert_eq!(
                conflict.body["details"],
                json!({"gid": "g", "status": "COMMITTED"})
            );
        }
    }
    assert_eq!(world.get("/api/tx/g").await.body, before);
}

#[tokio::test(start_paused = true)]
async fn options_as_given_are_compared_not_the_defaults_behind_them() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    let spelt_out = plus(saga("g"), json!({"options": {"request_timeout_secs": 3}}));
    assert_eq!(
        world.post("/api/start", spelt_out).await.code(),
        "GID_CONFLICT"
    );
    world
        .ok("/api/start", plus(saga("g"), json!({"options": {}})))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_branch_is_added_once_however_often_it_is_sent() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    let add = plus(branch("b1"), json!({"gid": "g", "payload": [1]}));
    world.ok("/api/branch/add", add.clone()).await;
    world.ok("/api/branch/add", add.clone()).await;
    let conflict = world
        .post(
            "/api/branch/add",
            plus(add.clone(), json!({"payload": [2]})),
        )
        .await;
    assert_eq!(conflict.code(), "BRANCH_CONFLICT");
    assert_eq!(conflict.body["details"]["branch_id"], "b1");
    world
        .ok("/api/submit", json!({"gid": "g", "wait": true}))
        .await;
    world.ok("/api/branch/add", add).await;
    let late = world
        .post("/api/branch/add", plus(branch("b2"), json!({"gid": "g"})))
        .await;
    assert_eq!(late.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(
        late.body["details"],
        json!({"gid": "g", "status": "COMMITTED"})
    );
}

#[tokio::test(start_paused = true)]
async fn gids_where_one_is_a_prefix_of_another_are_two_transactions() {
    let world = World::new().await;
    world.ok("/api/start", saga("order-1")).await;
    world
        .ok(
            "/api/submit",
            plus(saga("order-10"), json!({"wait": true, "payload": 10})),
        )
        .await;
    assert_eq!(
        world.get("/api/tx/order-1").await.body["status"],
        "PREPARED"
    );
    assert_eq!(
        world.get("/api/tx/order-10").await.body["status"],
        "COMMITTED"
    );
    assert_eq!(
        world.get("/api/tx/order-1").await.body["branches"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

/// What a proxy or another JSON library may change without changing the value.
#[tokio::test(start_paused = true)]
async fn payloads_are_compared_as_parsed_json() {
    let world = World::new().await;
    let body = |payload: &str| format!(r#"{{"gid":"g","payload":{payload}}}"#);
    let first = body(r#"{"a":[1.50,-0,1e2,12300],"b":{"c":"/","d":null}}"#);
    assert_eq!(world.post_bytes("/api/start", first).await.status, 200);
    for same in [
        r#"{"b":{"d":null,"c":"\/"},"a":[1.5,0,100,12300]}"#,
        r#"{"a":[15e-1,0.0,1E+2,1.23e4],"b":{"c":"\u002f","d":null}}"#,
    ] {
        assert_eq!(
            world.post_bytes("/api/start", body(same)).await.status,
            200,
            "{same}"
        );
    }
    for other in [
        r#"{"a":[1.5,0,100,12301],"b":{"c":"/","d":null}}"#,
        r#"{"a":[1.5,0,100,12300],"b":{"c":"/"}}"#,
        r#"{"a":[0,1.5,100,12300],"b":{"c":"/","d":null}}"#,
        r#"{"a":["1.5",0,100,12300],"b":{"c":"/","d":null}}"#,
    ] {
        assert_eq!(
            world.post_bytes("/api/start", body(other)).await.code(),
            "GID_CONFLICT",
            "{other}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_creation_is_compared_with_what_was_sent_not_with_what_it_grew_to() {
    let world = World::new().await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    let grown = [branch("b1")];
    world
        .ok("/api/branch/add", plus(branch("b1"), json!({"gid": "g"})))
        .await;
    world.ok("/api/start", json!({"gid": "g"})).await;
    for path in ["/api/start", "/api/submit"] {
        let whole = world
            .post(path, json!({"gid": "g", "branches": grown}))
            .await;
        assert_eq!(whole.code(), "GID_CONFLICT");
        assert_eq!(whole.body["details"]["status"], "PREPARED");
    }
}
