//! Malformed and misplaced requests, for each route of TCC and of completion from outside.

use seata_tests::{Branch, Client, Tcc, scene};
use serde_json::{Value, json};

const ROUTES: [&str; 6] = ["try", "register", "confirm", "cancel", "succeed", "fail"];

/// One byte more than a body may have.
const TOO_MUCH_BYTES: usize = (4 << 20) + 1;

async fn refused(client: &Client, route: &str, body: Value, field: &str) {
    let path = format!("/api/branch/{route}");
    let answer = client.post(&path, body).await;
    answer.refused(400, "INVALID_REQUEST");
    let details = &answer.body["details"];
    assert_eq!(details["field"], field, "{route}: {}", answer.text);
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

/// Answers a body that every one of the routes would take.
fn body(tcc: &Tcc<'_>, route: &str) -> Value {
    let whole = tcc.body(Branch::willing("one"));
    match route {
        "try" | "register" => whole,
        _ => json!({ "gid": whole["gid"], "branch_id": "one" }),
    }
}

#[tokio::test]
async fn a_wrong_type_is_refused_by_the_name_of_its_field() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "types").await;
    for route in ROUTES {
        let right = body(&tcc, route);
        for field in ["gid", "branch_id"] {
            for value in [json!(1), json!([]), json!({}), json!(true)] {
                refused(&client, route, with(right.clone(), field, value), field).await;
            }
            refused(
                &client,
                route,
                with(right.clone(), field, Value::Null),
                field,
            )
            .await;
        }
        let fields: &[&str] = match route {
            "try" | "register" => &["action", "confirm", "cancel", "headers", "options"],
            "confirm" | "cancel" => &[],
            "succeed" => &["operation"],
            _ => &["operation", "reason"],
        };
        for field in fields {
            refused(&client, route, with(right.clone(), field, json!(7)), field).await;
        }
    }
    assert_eq!(tcc.now().await["branches"], json!([]));
    assert!(participants.ledger().of("types").is_empty());
}

#[tokio::test]
async fn an_unknown_field_of_a_branch_and_a_misspelt_one_are_refused_by_name() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "names").await;
    for route in ["try", "register"] {
        for field in ["cancle", "confrim", "colour", "after", "compensation"] {
            let wrong = with(body(&tcc, route), field, json!("http://127.0.0.1:1/"));
            refused(&client, route, wrong, field).await;
        }
    }
    for route in ["succeed", "fail"] {
        let wrong = with(body(&tcc, route), "operaton", json!("try"));
        refused(&client, route, wrong, "operaton").await;
        for operation in ["undo", "", "TRY"] {
            let wrong = with(body(&tcc, route), "operation", json!(operation));
            refused(&client, route, wrong, "operation").await;
        }
    }
    for route in ["confirm", "cancel", "succeed", "fail"] {
        let wrong = with(body(&tcc, route), "brnch_id", json!("one"));
        refused(&client, route, wrong, "brnch_id").await;
    }
    assert_eq!(tcc.now().await["branches"], json!([]));
}

#[tokio::test]
async fn what_is_no_json_no_object_or_too_large_is_refused_and_the_server_lives() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "bytes").await;
    let huge = format!("{{\"gid\":\"{}\"}}", "x".repeat(TOO_MUCH_BYTES));
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for route in ROUTES {
        let path = format!("/api/branch/{route}");
        for text in [
            "",
            "{",
            "[]",
            "null",
            "7",
            "\"gid\"",
            "{\"gid\":}",
            "\u{0}",
            &deep,
        ] {
            let answer = client.post_text(&path, text.to_owned()).await;
            answer.refused(400, "INVALID_REQUEST");
        }
        let answer = client.post_text(&path, &b"{\"gid\": \"\xff\"}"[..]).await;
        answer.refused(400, "INVALID_REQUEST");
        let twice = "{\"gid\":\"bytes\",\"gid\":\"bytes\",\"branch_id\":\"one\"}";
        let answer = client.post_text(&path, twice).await;
        answer.refused(400, "INVALID_REQUEST");
        let answer = client.post_text(&path, huge.clone()).await;
        answer.refused(413, "PAYLOAD_TOO_LARGE");
        let answer = client.get(&path).await;
        answer.refused(405, "METHOD_NOT_ALLOWED");
        let text = body(&tcc, route).to_string();
        let plain = client.send(http::Method::POST, &path, Some("text/plain"), text);
        plain.await.unwrap().refused(415, "UNSUPPORTED_MEDIA_TYPE");
        let strange = with(body(&tcc, route), "gid", json!("a' OR 1=1 --"));
        client
            .post(&path, strange)
            .await
            .refused(400, "INVALID_GID");
    }
    let payload = "x".repeat((1 << 20) + 1);
    for route in ["try", "register"] {
        let heavy = with(body(&tcc, route), "payload", json!(payload));
        let answer = client.post(&format!("/api/branch/{route}"), heavy).await;
        answer.refused(413, "PAYLOAD_TOO_LARGE");
    }
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(tcc.now().await["branches"], json!([]));
    assert!(participants.ledger().of("bytes").is_empty());
}

#[tokio::test]
async fn what_comes_out_of_order_is_refused_and_changes_nothing() {
    let (_server, client, participants) = scene().await;
    let saga = json!({ "gid": "saga" });
    client.post("/api/start", saga).await.ok();
    let tcc = Tcc::begin(&client, &participants, "order").await;
    for route in ROUTES {
        let path = format!("/api/branch/{route}");
        let nowhere = with(body(&tcc, route), "gid", json!("nowhere"));
        let answer = client.post(&path, nowhere).await;
        answer.refused(404, "TRANSACTION_NOT_FOUND");
        if matches!(route, "try" | "register") {
            // Of the other mode.
            let other = with(body(&tcc, route), "gid", json!("saga"));
            let answer = client.post(&path, other).await;
            answer.refused(409, "INVALID_STATUS_TRANSITION");
            assert_eq!(answer.body["details"]["mode"], "saga");
        } else {
            let answer = client.post(&path, body(&tcc, route)).await;
            answer.refused(404, "BRANCH_NOT_FOUND");
        }
    }
    let action = json!({ "gid": "order", "branch_id": "one", "action": participants.url("ok") });
    let answer = client.post("/api/branch/add", action).await;
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    tcc.registered(Branch::willing("one")).await;
    for (word, operation) in [
        ("succeed", "confirm"),
        ("fail", "cancel"),
        ("succeed", "action"),
    ] {
        let told = json!({ "operation": operation });
        let answer = tcc.of_branch(word, "one", told).await;
        answer.refused(409, "INVALID_STATUS_TRANSITION");
        assert_eq!(answer.body["details"]["status"], "PREPARED");
    }
    assert_eq!(tcc.status_of("one").await, "REGISTERED");
    assert!(participants.ledger().of("order").is_empty());
}
