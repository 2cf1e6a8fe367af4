//! Routes that show and order: what they take, in every form, and what they refuse by name.

use seata_tests::{Client, Server, Setup, scene};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LINES: &str = "application/x-ndjson";

async fn fill(client: &Client, mode: &str, count: usize) {
    for number in 0..count {
        let start = json!({ "gid": format!("{mode}-{number:03}"), "mode": mode });
        client.post("/api/start", start).await.ok();
    }
}

fn gids(list: &[Value]) -> Vec<String> {
    let gids = list.iter().map(|header| header["gid"].as_str());
    gids.map(|gid| gid.unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_list_of_one_mode_comes_by_cursor_by_offset_and_as_lines_the_same() {
    const TCC: usize = 130;
    let (_server, client, _participants) = scene().await;
    fill(&client, "saga", 40).await;
    fill(&client, "tcc", TCC).await;
    let (mut by_cursor, mut by_offset) = (Vec::new(), Vec::new());
    let mut path = "/api/tx?mode=tcc&limit=50".to_owned();
    loop {
        let page = client.get(&path).await;
        by_cursor.extend(gids(page.body.as_array().unwrap()));
        match page.header("x-next-cursor") {
            "" => break,
            cursor => path = format!("/api/tx?mode=tcc&limit=50&cursor={cursor}"),
        }
    }
    for offset in [0, 50, 100] {
        let page = client
            .get(&format!("/api/tx?mode=tcc&limit=50&offset={offset}"))
            .await
            .ok();
        by_offset.extend(gids(page.as_array().unwrap()));
    }
    let lines = client.get_as("/api/tx?mode=tcc", Some(LINES)).await;
    assert_eq!(lines.header("content-type"), LINES);
    let lines: Vec<Value> = lines
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Of those of one millisecond nobody knows which is newer, but each listing says the same.
    assert_eq!(by_offset, by_cursor);
    assert_eq!(gids(&lines), by_cursor);
    by_cursor.sort();
    let all: Vec<String> = (0..TCC).map(|number| format!("tcc-{number:03}")).collect();
    assert_eq!(by_cursor, all);
    let few = client.get_as("/api/tx?limit=7", Some(LINES)).await;
    assert_eq!(few.text.lines().count(), 7);
}

#[tokio::test]
async fn a_query_that_is_none_is_refused_by_the_name_of_its_parameter() {
    let (_server, client, _participants) = scene().await;
    fill(&client, "tcc", 1).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("cursor=x", "cursor"),
        ("status=DONE", "status"),
        ("mode=xa", "mode"),
        ("created_after=yesterday", "created_after"),
        ("gid_prefix=%27", "gid_prefix"),
        ("staus=STUCK", "staus"),
    ] {
        for accept in [None, Some(LINES)] {
            let answer = client.get_as(&format!("/api/tx?{query}"), accept).await;
            answer.refused(400, "INVALID_REQUEST");
            assert_eq!(answer.body["details"]["field"], field, "{query}");
        }
    }
    let invalid = |code: &str| Some((400, code.to_owned()));
    for path in [
        "/api/watch?status=DONE",
        "/api/watch?mode=xa",
        "/api/watch?mod=tcc",
    ] {
        assert_eq!(
            client.no_watch(path, "").await,
            invalid("INVALID_REQUEST"),
            "{path}"
        );
    }
    for id in ["x", "-1", "4294967296"] {
        let answer = client.no_watch("/api/tx/tcc-000/watch", id).await;
        assert_eq!(answer, invalid("INVALID_REQUEST"), "{id}");
    }
    let answer = client.no_watch("/api/tx/a%27b/watch", "").await;
    assert_eq!(answer, invalid("INVALID_GID"));
    let missing = Some((404, "TRANSACTION_NOT_FOUND".to_owned()));
    assert_eq!(client.no_watch("/api/tx/nobody/watch", "").await, missing);
    assert_eq!(client.get("/livez").await.status, 200);
}

#[tokio::test]
async fn an_order_of_a_wrong_form_is_refused_by_the_name_of_its_field() {
    let (_server, client, _participants) = scene().await;
    fill(&client, "tcc", 1).await;
    for (order, body, field) in [
        ("retry", json!({ "reason": 7 }), "reason"),
        ("retry", json!({ "reason": "" }), "reason"),
        (
            "retry",
            json!({ "reason": "r", "branch_id": [] }),
            "branch_id",
        ),
        ("retry", json!({ "reason": "r", "to": "aborted" }), "to"),
        ("skip", json!({ "reason": "r" }), "branch_id"),
        (
            "skip",
            json!({ "reason": "r", "branch_id": "b", "operation": "undo" }),
            "operation",
        ),
        (
            "skip",
            json!({ "reason": "r", "branch_id": "b", "operation": 1 }),
            "operation",
        ),
        ("force", json!({ "reason": "r" }), "to"),
        ("force", json!({ "reason": "r", "to": "prepared" }), "to"),
        ("force", json!({ "reason": "r", "to": true }), "to"),
        ("force", json!({ "reson": "r", "to": "aborted" }), "reson"),
    ] {
        let answer = client
            .post(&format!("/api/tx/tcc-000/{order}"), body.clone())
            .await;
        answer.refused(400, "INVALID_REQUEST");
        assert_eq!(answer.body["details"]["field"], field, "{order} {body}");
    }
    for order in ["retry", "skip", "force"] {
        let path = format!("/api/tx/tcc-000/{order}");
        for text in ["", "[]", "{", "\u{0}"] {
            let answer = client.post_text(&path, text).await;
            answer.refused(400, "INVALID_REQUEST");
        }
        let huge = format!("{{\"reason\":\"{}\"}}", "x".repeat(4 << 20));
        client
            .post_text(&path, huge)
            .await
            .refused(413, "PAYLOAD_TOO_LARGE");
        client.get(&path).await.refused(405, "METHOD_NOT_ALLOWED");
    }
    assert_eq!(client.tx("tcc-000").await["status"], "PREPARED");
}

#[tokio::test]
async fn the_document_and_the_page_that_shows_it_come_from_the_server() {
    let (_server, client, _participants) = scene().await;
    let document = client.get("/api/openapi.json").await.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in [
        "/api/branch/try",
        "/api/branch/succeed",
        "/api/tx/{gid}/watch",
        "/api/watch",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let page = client.get("/api/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    for part in page
        .text
        .split('"')
        .filter(|text| text.starts_with("/api/docs/"))
    {
        assert_eq!(client.get(part).await.status, 200, "{part}");
    }
    let answer = client.get("/api/docs/nothing").await;
    answer.refused(404, "ROUTE_NOT_FOUND");
}

/// Asks as a page of an origin does, and answers the head of the answer.
async fn asked_from(server: &Server, origin: &str) -> String {
    let output = server.output();
    let (_, printed) = output.split_once("http://").unwrap();
    let address = printed.split_whitespace().next().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /api/tx HTTP/1.0\r\nhost: {address}\r\norigin: {origin}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.to_lowercase()
}

#[tokio::test]
async fn a_page_of_a_configured_origin_may_read_and_no_other() {
    const ALLOWED: &str = "access-control-allow-origin: https://ops.example";
    let setup = Setup::new().with("SEATA_CORS_ORIGINS", "https://ops.example");
    let server = setup.start().await;
    let answer = asked_from(&server, "https://ops.example").await;
    assert!(answer.contains(ALLOWED), "{answer}");
    let answer = asked_from(&server, "https://evil.example").await;
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    let server = Setup::new().start().await;
    let answer = asked_from(&server, "https://ops.example").await;
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
}
