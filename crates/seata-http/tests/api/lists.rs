//! `/api/tx`.

use axum::body::Body;
use futures_util::StreamExt;
use http::Request;
use serde_json::{Value, json};

use crate::world::{World, plus, saga};

async fn filled() -> World {
    let world = World::new().await;
    for n in 0..7 {
        let gid = format!("{}-{n}", if n < 4 { "a" } else { "b" });
        let path = if n % 2 == 0 {
            "/api/start"
        } else {
            "/api/submit"
        };
        world
            .ok(path, plus(saga(&gid), json!({"wait": true})))
            .await;
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    world
}

async fn gids(world: &World, query: &str) -> Vec<String> {
    let answered = world.get(&format!("/api/tx{query}")).await;
    assert_eq!(answered.status, 200, "{query}: {}", answered.body);
    let gid = |line: &Value| line["gid"].as_str().unwrap().to_owned();
    answered.body.as_array().unwrap().iter().map(gid).collect()
}

#[tokio::test(start_paused = true)]
async fn transactions_are_listed_newest_first_and_filtered() {
    let world = filled().await;
    assert_eq!(
        gids(&world, "").await,
        ["b-6", "b-5", "b-4", "a-3", "a-2", "a-1", "a-0"]
    );
    assert_eq!(
        gids(&world, "?status=committed").await,
        ["b-5", "a-3", "a-1"]
    );
    assert_eq!(
        gids(&world, "?status=PREPARED,STUCK&gid_prefix=b").await,
        ["b-6", "b-4"]
    );
    assert_eq!(gids(&world, "?mode=saga&limit=1").await, ["b-6"]);
    assert_eq!(gids(&world, "?offset=5&limit=2").await, ["a-1", "a-0"]);
    assert_eq!(
        gids(&world, "?offset=2&limit=1&status=COMMITTED").await,
        ["a-1"]
    );
    assert_eq!(gids(&world, "?offset=100").await, Vec::<String>::new());
    let between = "?created_after=1700000002&created_before=2023-11-14T22:13:24Z";
    assert_eq!(gids(&world, between).await, ["a-3", "a-2"]);
    let line = world.get("/api/tx?gid_prefix=a-0").await.body;
    let expected = json!([{"gid": "a-0", "mode": "saga", "status": "PREPARED", "created_unix": 1_700_000_000, "updated_unix": 1_700_000_000}]);
    assert_eq!(line, expected);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_goes_on_where_the_page_ended_though_others_write() {
    let world = filled().await;
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let answered = world.get(&format!("/api/tx{query}")).await;
        let page = answered.body.as_array().unwrap();
        seen.extend(
            page.iter()
                .map(|line| line["gid"].as_str().unwrap().to_owned()),
        );
        let Some(cursor) = answered.headers.get("x-next-cursor") else {
            break;
        };
        query = format!("?limit=3&cursor={}", cursor.to_str().unwrap());
        world
            .ok("/api/start", saga(&format!("new-{}", seen.len())))
            .await;
    }
    assert_eq!(seen, ["b-6", "b-5", "b-4", "a-3", "a-2", "a-1", "a-0"]);
}

async fn lines(world: &World, query: &str) -> Vec<String> {
    let request = Request::get(format!("/api/tx{query}"))
        .header("accept", "text/html, application/x-ndjson;q=0.9");
    let answered = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answered.headers["content-type"], "application/x-ndjson");
    let gid = |line: &str| serde_json::from_str::<Value>(line).unwrap()["gid"].clone();
    let text = answered.text.lines().map(gid);
    text.map(|gid| gid.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn lines_are_streamed_to_the_last_one_that_matches() {
    let world = filled().await;
    assert_eq!(
        lines(&world, "").await,
        ["b-6", "b-5", "b-4", "a-3", "a-2", "a-1", "a-0"]
    );
    assert_eq!(lines(&world, "?limit=2&offset=4").await, ["a-2", "a-1"]);
    assert_eq!(lines(&world, "?gid_prefix=c").await, Vec::<String>::new());
    for n in 0..1_100 {
        world
            .ok("/api/start", json!({"gid": format!("c-{n}")}))
            .await;
    }
    let streamed = lines(&world, "?gid_prefix=c").await;
    let each: std::collections::BTreeSet<_> = streamed.iter().collect();
    assert_eq!((streamed.len(), each.len()), (1_100, 1_100));
    world.down.now();
    let request = Request::get("/api/tx").header("accept", "application/x-ndjson");
    let refused = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.code(), "STORE_UNAVAILABLE");
    // Nothing was to be written, so nothing is in doubt.
    for path in ["/api/tx", "/api/tx/a-0", "/api/tx/a-0/events"] {
        let read = world.get(path).await;
        assert_eq!(read.code(), "STORE_UNAVAILABLE", "{path}");
        let text = read.body["error"].as_str().unwrap();
        assert_eq!(text, "the store does not answer: ask again later", "{path}");
    }
}

/// Asks for all, lets the store fail behind the first line, and reads on.
async fn interrupted(world: &World, fails: impl FnOnce()) -> Vec<Value> {
    for n in 0..600 {
        world
            .ok("/api/start", json!({"gid": format!("c-{n}")}))
            .await;
    }
    let request = Request::get("/api/tx").header("accept", "application/x-ndjson");
    let response = world.open(request.body(Body::empty()).unwrap()).await;
    let mut body = response.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    fails();
    let mut rest = Vec::new();
    while let Some(piece) = body.next().await {
        rest.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8([first.to_vec(), rest].concat()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn lines_end_with_a_refusal_when_the_store_fails_in_between() {
    let world = World::new().await;
    let lines = interrupted(&world, || world.down.now()).await;
    let (last, before) = lines.split_last().unwrap();
    assert_eq!(last["code"], "STORE_UNAVAILABLE", "{last}");
    assert!(last["error"].is_string() && last["details"].is_object());
    assert!(!before.is_empty() && before.len() < 600);
    assert!(before.iter().all(|line| line["gid"].is_string()));
}

#[tokio::test(start_paused = true)]
async fn lines_go_on_when_the_store_failed_for_a_moment() {
    let world = World::new().await;
    let lines = interrupted(&world, || world.down.for_pages(3, 0)).await;
    let each: std::collections::BTreeSet<_> =
        lines.iter().map(|line| line["gid"].to_string()).collect();
    assert_eq!((lines.len(), each.len()), (600, 600));
}

#[tokio::test(start_paused = true)]
async fn who_was_told_nothing_yet_hears_at_once_that_the_store_fails() {
    let world = World::new().await;
    for n in 0..1_100 {
        world
            .ok("/api/start", json!({"gid": format!("c-{n}")}))
            .await;
    }
    // Nothing on the first page matches.
    world.down.for_pages(1, 1);
    let before = tokio::time::Instant::now();
    let request = Request::get("/api/tx?gid_prefix=d").header("accept", "application/x-ndjson");
    let answered = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answered.code(), "STORE_UNAVAILABLE");
    assert!(before.elapsed() < std::time::Duration::from_millis(500));
}
