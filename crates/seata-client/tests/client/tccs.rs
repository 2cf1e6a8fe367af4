//! TCC: the bodies that are sent, and what follows from each answer to a try.

use std::time::Duration;

use seata_client::{BranchOptions, Client, ClientConfig, OpenTcc, Tcc, TccBranch, Tried, Waited};
use serde_json::json;

use crate::coordinator::{Asked, Coordinator, PATIENT, gid, json as answer, transaction};

fn branch(name: &str) -> TccBranch {
    TccBranch::new(name)
        .try_(format!("http://{name}/try"))
        .confirm("http://c/")
        .cancel("http://d/")
}

fn tcc() -> Tcc {
    Tcc::new(gid())
        .payload(json!(1))
        .branch(branch("a"))
        .branch(branch("b"))
}

/// Answers tries so, and all else as a coordinator does.
async fn trying(status: u16, body: serde_json::Value) -> Coordinator {
    Coordinator::answering(move |_, asked: &Asked| match asked.path.as_str() {
        "/api/branch/try" if asked.body["branch_id"] == "b" => answer(status, &body),
        "/api/submit" => answer(200, &json!({"status": "committed", "gid": "order-1", "transaction": transaction("COMMITTED")})),
        "/api/abort" => answer(200, &json!({"status": "aborted", "gid": "order-1", "transaction": transaction("ABORTED")})),
        _ => answer(200, &json!({"status": "success", "gid": "order-1"})),
    })
    .await
}

#[tokio::test]
async fn all_is_confirmed_when_each_try_succeeded() {
    let coordinator = trying(200, json!({"status": "success"})).await;
    let waited = tcc().run(&coordinator.client(), PATIENT).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)));
    let asked: Vec<_> = coordinator
        .asked()
        .into_iter()
        .map(|asked| (asked.path, asked.body))
        .collect();
    let tried = |name| {
        json!({
            "gid": "order-1", "branch_id": name, "action": format!("http://{name}/try"), "confirm": "http://c/", "cancel": "http://d/",
        })
    };
    let expected = [
        (
            "/api/start",
            json!({"gid": "order-1", "mode": "tcc", "payload": 1}),
        ),
        ("/api/branch/try", tried("a")),
        ("/api/branch/try", tried("b")),
        ("/api/submit", json!({"gid": "order-1", "wait": 20.0})),
    ];
    assert_eq!(asked, expected.map(|(path, body)| (path.to_owned(), body)));
}

#[tokio::test]
async fn all_is_cancelled_when_a_try_was_refused_or_is_not_known() {
    let refused =
        json!({"error": "b refused", "code": "BRANCH_REFUSED", "details": {"reason": "no seat"}});
    for (status, body, why) in [
        (409, refused, "b refused: no seat"),
        (
            202,
            json!({"status": "pending"}),
            "the try of b is not known",
        ),
    ] {
        let coordinator = trying(status, body).await;
        let waited = tcc().run(&coordinator.client(), PATIENT).await.unwrap();
        assert!(matches!(waited, Waited::Aborted(_)));
        let last = coordinator.asked().pop().unwrap();
        assert_eq!(last.path, "/api/abort");
        assert_eq!(last.body["reason"], why);
    }
}

#[tokio::test]
async fn nothing_is_decided_when_the_coordinator_refuses_a_try() {
    let late = json!({"error": "too late", "code": "INVALID_STATUS_TRANSITION", "details": {}});
    let coordinator = trying(409, late).await;
    assert!(tcc().run(&coordinator.client(), PATIENT).await.is_err());
    assert_eq!(coordinator.asked().pop().unwrap().path, "/api/branch/try");
}

#[tokio::test]
async fn a_time_limit_without_end_is_none() {
    let coordinator = Coordinator::answering(|_, asked: &Asked| match asked.path.as_str() {
        "/api/tx/order-1" => answer(200, &transaction("COMMITTED")),
        "/api/submit" => answer(200, &json!({"status": "committed", "gid": "order-1", "transaction": transaction("COMMITTED")})),
        _ => answer(200, &json!({"status": "success", "gid": "order-1"})),
    })
    .await;
    let config = ClientConfig {
        request_timeout: Duration::MAX,
        ..ClientConfig::default()
    };
    let client = Client::http_with(&coordinator.url(), config).unwrap();
    let waited = tcc().run(&client, Duration::MAX).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)));
    let options = BranchOptions {
        request_timeout: Some(Duration::from_secs(1)),
        ..BranchOptions::default()
    };
    let open = OpenTcc::resume(client.clone(), gid());
    let tried = open.try_branch(&branch("a").options(options)).await;
    assert_eq!(tried.unwrap(), Tried::Succeeded);
    let waited = client.wait(&gid(), Duration::MAX).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)));
}

#[tokio::test]
async fn an_initiator_may_try_by_itself_and_settle_branch_by_branch() {
    let coordinator = trying(200, json!({})).await;
    let open = OpenTcc::resume(coordinator.client(), gid());
    let registered = TccBranch::new("a").confirm("http://c/").cancel("http://d/");
    open.register(&registered).await.unwrap();
    open.try_succeeded("a").await.unwrap();
    open.try_failed("a", "no").await.unwrap();
    open.confirm("a").await.unwrap();
    open.cancel("a").await.unwrap();
    assert_eq!(
        open.try_branch(&branch("b")).await.unwrap(),
        Tried::Succeeded
    );
    let asked: Vec<_> = coordinator
        .asked()
        .into_iter()
        .take(5)
        .map(|asked| (asked.path, asked.body))
        .collect();
    let expected = [
        (
            "/api/branch/register",
            json!({"gid": "order-1", "branch_id": "a", "confirm": "http://c/", "cancel": "http://d/"}),
        ),
        (
            "/api/branch/succeed",
            json!({"gid": "order-1", "branch_id": "a", "operation": "try"}),
        ),
        (
            "/api/branch/fail",
            json!({"gid": "order-1", "branch_id": "a", "operation": "try", "reason": "no"}),
        ),
        (
            "/api/branch/confirm",
            json!({"gid": "order-1", "branch_id": "a"}),
        ),
        (
            "/api/branch/cancel",
            json!({"gid": "order-1", "branch_id": "a"}),
        ),
    ];
    assert_eq!(asked, expected.map(|(path, body)| (path.to_owned(), body)));
}
