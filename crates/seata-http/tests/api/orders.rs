//! An operator's way out.

use seata_core::Outcome;
use serde_json::{Value, json};

use crate::world::{World, plus, refused, saga, unknown};

async fn stuck(world: &World) -> Value {
    world.say("http://b2/do", [(5, refused())]);
    world.say("http://b1/undo", [(0, refused())]);
    let ended = world
        .ok("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    assert_eq!(ended["status"], "stuck");
    ended["transaction"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_refused_compensation_is_stuck_and_says_who_must_act() {
    let world = World::new().await;
    let transaction = stuck(&world).await;
    assert_eq!(transaction["status"], "STUCK");
    let said = transaction["waiting_for"].as_str().unwrap();
    assert!(
        said.starts_with("an operator (retry, skip or force): branch b1 refused"),
        "{said}"
    );
    assert!(transaction["attention"].is_string());
    assert_eq!(
        transaction["branches"][0]["operations"][1]["status"],
        "REFUSED"
    );
}

#[tokio::test(start_paused = true)]
async fn a_stuck_transaction_is_retried_to_its_end() {
    let world = World::new().await;
    stuck(&world).await;
    let ordered = world
        .ok(
            "/api/tx/g/retry",
            json!({"reason": "fixed it", "branch_id": "b1"}),
        )
        .await;
    assert_eq!(
        (&ordered["status"], &ordered["gid"]),
        (&json!("success"), &json!("g"))
    );
    assert!(ordered["transaction"].is_object());
    let ended = world
        .ok("/api/abort", json!({"gid": "g", "wait": true}))
        .await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(ended["transaction"]["forced"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_skips_is_told_for_ever() {
    let world = World::new().await;
    stuck(&world).await;
    let order = json!({"reason": "undone by hand", "branch_id": "b1", "operation": "compensation"});
    world.ok("/api/tx/g/skip", order).await;
    let ended = world
        .ok("/api/abort", json!({"gid": "g", "wait": true}))
        .await;
    assert_eq!(ended["status"], "aborted");
    assert_eq!(ended["transaction"]["forced"], "undone by hand");
    let events = world.get("/api/tx/g/events").await.body;
    let skipped = events
        .as_array()
        .unwrap()
        .iter()
        .find(|event| event["kind"] == "skipped")
        .unwrap()
        .clone();
    let told = (
        &skipped["branch_id"],
        &skipped["operation"],
        &skipped["reason"],
    );
    assert_eq!(
        told,
        (
            &json!("b1"),
            &json!("compensation"),
            &json!("undone by hand")
        )
    );
}

#[tokio::test(start_paused = true)]
async fn a_forced_end_is_told_for_ever() {
    let world = World::new().await;
    stuck(&world).await;
    world
        .ok(
            "/api/tx/g/force",
            json!({"reason": "written off", "to": "aborted"}),
        )
        .await;
    let ended = world
        .ok("/api/abort", json!({"gid": "g", "wait": true}))
        .await;
    assert_eq!(
        (&ended["status"], &ended["transaction"]["forced"]),
        (&json!("aborted"), &json!("written off"))
    );
    let other_side = world
        .post("/api/tx/g/force", json!({"reason": "x", "to": "COMMITTED"}))
        .await;
    assert_eq!(other_side.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(
        other_side.body["details"],
        json!({"gid": "g", "status": "ABORTED"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_retry_does_not_wait_for_the_back_off() {
    let world = World::new().await;
    world.say("http://b1/do", [(0, unknown()), (0, Outcome::Success)]);
    let options = json!({"options": {"retry_interval_secs": 3600, "retry_interval_max_secs": 3600}, "wait": 0.1});
    let pending = world.post("/api/submit", plus(saga("g"), options)).await;
    assert_eq!(pending.status, 202);
    world
        .ok("/api/tx/g/retry", json!({"reason": "it is up again"}))
        .await;
    let ended = world
        .ok("/api/submit", json!({"gid": "g", "wait": 1}))
        .await;
    assert_eq!(ended["status"], "committed");
}
