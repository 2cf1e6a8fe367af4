//! Sagas: the bodies that are sent, the answers that are read.

use std::time::Duration;

use seata_client::{
    Branch, BranchOptions, BranchStatus, End, ErrorCode, ListQuery, Operation, Options, Order,
    Payload, Saga, Status, Waited,
};
use serde_json::{Value, json};

use crate::coordinator::{Coordinator, PATIENT, gid, json as answer, transaction};

fn saga() -> Saga {
    Saga::new(gid())
        .payload(json!({ "amount": 30 }))
        .options(Options {
            timeout_to_fail: Some(Duration::from_millis(1_500)),
            order: Some(Order::Sequential),
            ..Options::default()
        })
        .branch(
            Branch::new("stock")
                .action("http://a/take")
                .compensation("http://a/return"),
        )
        .branch(
            Branch::new("mail")
                .action("grpc://b:1/mail.Mail/Send")
                .after(["stock"])
                .payload(Payload::Bytes {
                    content_type: "application/protobuf".to_owned(),
                    bytes: vec![1, 2, 3],
                })
                .options(BranchOptions {
                    max_attempts: Some(3),
                    ..BranchOptions::default()
                }),
        )
}

fn body() -> Value {
    json!({
        "gid": "order-1", "mode": "saga", "payload": {"amount": 30},
        "options": {"timeout_to_fail_secs": 1.5, "order": "sequential"},
        "branches": [
            {"branch_id": "stock", "action": "http://a/take", "compensation": "http://a/return"},
            {"branch_id": "mail", "action": "grpc://b:1/mail.Mail/Send", "after": ["stock"],
             "payload_base64": "AQID", "content_type": "application/protobuf", "options": {"max_attempts": 3}}
        ]
    })
}

#[tokio::test]
async fn a_whole_saga_is_one_request() {
    let accepted =
        json!({"status": "success", "gid": "order-1", "transaction_status": "SUBMITTED"});
    let coordinator = Coordinator::always(200, accepted).await;
    let status = saga().submit(&coordinator.client()).await.unwrap();
    assert_eq!(status, Status::Submitted);
    let asked = coordinator.asked().remove(0);
    assert_eq!(coordinator.paths(), ["POST /api/submit"]);
    assert_eq!(asked.body, body());
    assert_eq!(asked.headers["content-type"], "application/json");
}

#[tokio::test]
async fn what_became_of_it_in_time_is_an_answer_whatever_it_is() {
    for (status, word, in_words) in [
        (200, "committed", "COMMITTED"),
        (200, "aborted", "ABORTED"),
        (200, "stuck", "STUCK"),
        (202, "pending", "SUBMITTED"),
    ] {
        let said = json!({"status": word, "gid": "order-1", "transaction": transaction(in_words)});
        let coordinator = Coordinator::always(status, said).await;
        let waited = saga()
            .submit_and_wait(&coordinator.client(), PATIENT)
            .await
            .unwrap();
        let is_right = match waited {
            Waited::Committed(_) => word == "committed",
            Waited::Aborted(_) => word == "aborted",
            Waited::Stuck(_) => word == "stuck",
            Waited::Pending(_) => word == "pending",
        };
        assert!(is_right, "{word}");
        assert_eq!(coordinator.asked().remove(0).body["wait"], 20.0);
    }
}

#[tokio::test]
async fn a_saga_goes_step_by_step_too() {
    let done = json!({"status": "success", "gid": "order-1"});
    let coordinator = Coordinator::always(200, done).await;
    let client = coordinator.client();
    Saga::new(gid()).start(&client).await.unwrap();
    let branch = Branch::new("stock").action("http://a/take");
    client.add_branch(&gid(), &branch).await.unwrap();
    assert_eq!(client.submit(&gid()).await.unwrap(), Status::Submitted);
    assert_eq!(client.abort(&gid(), "no").await.unwrap(), Status::Aborting);
    client
        .succeed(&gid(), "stock", Operation::Action)
        .await
        .unwrap();
    client
        .fail(&gid(), "stock", Operation::Action, "no")
        .await
        .unwrap();
    let asked: Vec<_> = coordinator
        .asked()
        .into_iter()
        .map(|asked| (asked.path, asked.body))
        .collect();
    let expected = [
        ("/api/start", json!({"gid": "order-1", "mode": "saga"})),
        (
            "/api/branch/add",
            json!({"gid": "order-1", "branch_id": "stock", "action": "http://a/take"}),
        ),
        ("/api/submit", json!({"gid": "order-1"})),
        ("/api/abort", json!({"gid": "order-1", "reason": "no"})),
        (
            "/api/branch/succeed",
            json!({"gid": "order-1", "branch_id": "stock", "operation": "action"}),
        ),
        (
            "/api/branch/fail",
            json!({"gid": "order-1", "branch_id": "stock", "operation": "action", "reason": "no"}),
        ),
    ];
    assert_eq!(asked, expected.map(|(path, body)| (path.to_owned(), body)));
}

#[tokio::test]
async fn a_transaction_is_read_and_what_is_new_in_it_is_stepped_over() {
    let coordinator = Coordinator::always(200, transaction("SUBMITTED")).await;
    let transaction = coordinator.client().get(&gid()).await.unwrap();
    assert_eq!(coordinator.paths(), ["GET /api/tx/order-1"]);
    assert_eq!(transaction.status, Status::Submitted);
    assert_eq!(transaction.payload, json!({"amount": 30}));
    let branch = transaction.branch("stock").unwrap();
    assert_eq!(branch.status, BranchStatus::Acting);
    assert_eq!(branch.operations[0].attempts, 3);
    assert_eq!(branch.operations[0].last_error.as_deref(), Some("503"));
    assert!(transaction.branch("other").is_none());
    assert!(transaction.waiting_for.is_some() && transaction.reason.is_none());
}

#[tokio::test]
async fn a_refusal_has_its_code_and_details() {
    let refusal =
        json!({"error": "taken", "code": "GID_CONFLICT", "details": {"status": "COMMITTED"}});
    let coordinator = Coordinator::always(409, refusal).await;
    let error = saga().submit(&coordinator.client()).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::GidConflict));
    assert_eq!(error.to_string(), "taken (GID_CONFLICT)");
    assert!(!error.may_pass());
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn lists_go_on_from_their_cursor() {
    let coordinator = Coordinator::answering(|count, _| {
        let header = json!({"gid": format!("g{count}"), "mode": "saga", "status": "STUCK", "created_unix": 1, "updated_unix": 2});
        let mut page = answer(200, &json!([header]));
        if count == 0 {
            page.headers_mut().insert("x-next-cursor", "a b".parse().unwrap());
        }
        page
    })
    .await;
    let client = coordinator.client();
    let mut query = ListQuery {
        statuses: vec![Status::Stuck],
        ..ListQuery::default()
    };
    let first = client.list(&query).await.unwrap();
    query.cursor = first.next_cursor;
    let second = client.list(&query).await.unwrap();
    assert_eq!(second.transactions[0].gid.as_str(), "g1");
    assert_eq!(second.next_cursor, None);
    assert_eq!(
        coordinator.paths(),
        [
            "GET /api/tx?status=STUCK",
            "GET /api/tx?status=STUCK&cursor=a%20b"
        ]
    );
}

#[tokio::test]
async fn waiting_decides_nothing_and_ends_with_the_transaction_or_the_time() {
    let coordinator = Coordinator::answering(|count, _| {
        answer(
            200,
            &transaction(if count < 3 { "SUBMITTED" } else { "COMMITTED" }),
        )
    })
    .await;
    let waited = coordinator.client().wait(&gid(), PATIENT).await.unwrap();
    assert!(matches!(waited, Waited::Committed(_)));
    assert_eq!(coordinator.paths(), ["GET /api/tx/order-1"; 4]);
    let coordinator = Coordinator::always(200, transaction("SUBMITTED")).await;
    let waited = coordinator
        .client()
        .wait(&gid(), Duration::ZERO)
        .await
        .unwrap();
    assert!(matches!(waited, Waited::Pending(_)));
}

#[tokio::test]
async fn orders_of_an_operator_carry_their_reason() {
    let done =
        json!({"status": "success", "gid": "order-1", "transaction": transaction("ABORTED")});
    let coordinator = Coordinator::always(200, done).await;
    let client = coordinator.client();
    client.retry(&gid(), None, "back").await.unwrap();
    client
        .skip(&gid(), "stock", Some(Operation::Compensation), "by hand")
        .await
        .unwrap();
    let forced = client.force(&gid(), End::Aborted, "settled").await.unwrap();
    assert_eq!(forced.status, Status::Aborted);
    let asked: Vec<_> = coordinator
        .asked()
        .into_iter()
        .map(|asked| (asked.path, asked.body))
        .collect();
    let expected = [
        ("/api/tx/order-1/retry", json!({"reason": "back"})),
        (
            "/api/tx/order-1/skip",
            json!({"reason": "by hand", "branch_id": "stock", "operation": "compensation"}),
        ),
        (
            "/api/tx/order-1/force",
            json!({"reason": "settled", "to": "aborted"}),
        ),
    ];
    assert_eq!(asked, expected.map(|(path, body)| (path.to_owned(), body)));
}
