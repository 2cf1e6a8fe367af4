//! What is told of a try and of a registration once the TCC was decided.

use serde_json::{Value, json};

use crate::world::{Answered, World, refused, unknown};

/// A branch of a TCC with three endpoints.
fn branch(name: &str) -> Value {
    json!({
        "gid": "t",
        "branch_id": name,
        "action": format!("http://{name}/try"),
        "confirm": format!("http://{name}/confirm"),
        "cancel": format!("http://{name}/cancel"),
    })
}

async fn begun() -> World {
    let world = World::new().await;
    let begun = json!({"gid": "t", "mode": "tcc"});
    world.ok("/api/start", begun).await;
    world
}

fn assert_decided_to_abort(answered: &Answered, status: &str, branch_status: &str) {
    assert_eq!(
        answered.code(),
        "INVALID_STATUS_TRANSITION",
        "{:?}",
        answered.body
    );
    assert_eq!(
        answered.body["details"],
        json!({"gid": "t", "branch_id": "a", "status": status, "branch_status": branch_status,
               "decided": "abort"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_succeeded_is_no_success_once_the_tcc_was_decided_to_abort() {
    let world = begun().await;
    world.say("http://a/cancel", [(1_000, unknown())]);
    world.ok("/api/branch/try", branch("a")).await;
    world.ok("/api/abort", json!({"gid": "t"})).await;
    let aborting = world.post("/api/branch/try", branch("a")).await;
    assert_decided_to_abort(&aborting, "ABORTING", "CANCELLING");
    world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    let aborted = world.post("/api/branch/try", branch("a")).await;
    assert_decided_to_abort(&aborted, "ABORTED", "CANCELLED");
    assert_eq!(
        aborted.error(),
        "the transaction is ABORTED: it was decided to abort, so that it can't be tried any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_during_whose_call_the_tcc_was_decided_to_abort_is_no_success() {
    let world = begun().await;
    world.say("http://a/try", [(500, seata_core::Outcome::Success)]);
    let aborted = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        world.ok("/api/abort", json!({"gid": "t"})).await
    };
    let (tried, _) = tokio::join!(world.post("/api/branch/try", branch("a")), aborted);
    assert_eq!(tried.code(), "INVALID_STATUS_TRANSITION");
    assert_eq!(tried.body["details"]["decided"], "abort");
}

#[tokio::test(start_paused = true)]
async fn a_refused_try_stays_refused_and_needs_no_abort_any_more() {
    let world = begun().await;
    world.say("http://a/try", [(0, refused())]);
    let tried = world.post("/api/branch/try", branch("a")).await;
    assert!(tried.error().ends_with("; abort the transaction"));
    world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    let again = world.post("/api/branch/try", branch("a")).await;
    assert_eq!(again.code(), "BRANCH_REFUSED");
    assert_eq!(
        again.error(),
        "branch a refused its try: 409 Conflict: sold out; the transaction is ABORTED"
    );
}

#[tokio::test(start_paused = true)]
async fn a_try_that_succeeded_is_a_success_once_the_tcc_was_decided_to_confirm() {
    let world = begun().await;
    world.say("http://a/confirm", [(1_000, refused())]);
    world.ok("/api/branch/try", branch("a")).await;
    world.ok("/api/submit", json!({"gid": "t"})).await;
    let submitted = world.ok("/api/branch/try", branch("a")).await;
    assert_eq!(submitted["status"], "success");
    assert_eq!(submitted["transaction_status"], "SUBMITTED");
    let stuck = world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(stuck["status"], "stuck");
    let stuck = world.ok("/api/branch/try", branch("a")).await;
    assert_eq!(stuck["transaction_status"], "STUCK");
}

#[tokio::test(start_paused = true)]
async fn a_known_branch_is_not_registered_once_the_tcc_was_decided_to_abort() {
    let world = begun().await;
    world.say("http://a/cancel", [(1_000, unknown())]);
    world.ok("/api/branch/register", branch("a")).await;
    world.ok("/api/abort", json!({"gid": "t"})).await;
    let aborting = world.post("/api/branch/register", branch("a")).await;
    assert_decided_to_abort(&aborting, "ABORTING", "CANCELLING");
    world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    let aborted = world.post("/api/branch/register", branch("a")).await;
    assert_decided_to_abort(&aborted, "ABORTED", "CANCELLED");
    assert_eq!(
        aborted.error(),
        "the transaction is ABORTED: it was decided to abort, so that it can't be given another branch any more"
    );
}

#[tokio::test(start_paused = true)]
async fn a_known_branch_is_registered_once_the_tcc_was_decided_to_confirm() {
    let world = begun().await;
    world.ok("/api/branch/register", branch("a")).await;
    world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    world.ok("/api/branch/register", branch("a")).await;
}

async fn refused_by_the_state(world: &World, path: &str, body: Value) -> Answered {
    let answered = world.post(path, body).await;
    assert_eq!(answered.code(), "INVALID_STATUS_TRANSITION", "{path}");
    answered
}

#[tokio::test(start_paused = true)]
async fn contrary_orders_are_told_which_way_a_stuck_tcc_was_decided() {
    let world = begun().await;
    world.say("http://a/confirm", [(0, refused())]);
    world.ok("/api/branch/register", branch("a")).await;
    let stuck = world
        .ok("/api/submit", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(stuck["status"], "stuck");
    let force = json!({"to": "aborted", "reason": "x"});
    for (path, body, asked) in [
        ("/api/tx/t/force", force, "forced to ABORTED"),
        ("/api/abort", json!({"gid": "t"}), "aborted"),
    ] {
        let answered = refused_by_the_state(&world, path, body).await;
        let said = format!(
            "the transaction is STUCK: it was decided to confirm, so that it can't be {asked} any more"
        );
        assert_eq!(answered.error(), said);
        assert_eq!(answered.body["details"]["decided"], "confirm");
    }
}

#[tokio::test(start_paused = true)]
async fn a_submit_is_told_that_it_was_decided_to_abort() {
    let world = begun().await;
    world.say("http://a/cancel", [(0, refused())]);
    world.ok("/api/branch/register", branch("a")).await;
    let stuck = world
        .ok("/api/abort", json!({"gid": "t", "wait": true}))
        .await;
    assert_eq!(stuck["status"], "stuck");
    let answered = refused_by_the_state(&world, "/api/submit", json!({"gid": "t"})).await;
    assert_eq!(
        answered.error(),
        "the transaction is STUCK: it was decided to abort, so that it can't be submitted any more"
    );
    assert_eq!(answered.body["details"]["decided"], "abort");
}
