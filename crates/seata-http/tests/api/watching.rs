//! Server-sent events: one transaction's, and those of the whole server.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use http::Request;
use seata_engine::Config;
use seata_store::Owner;
use serde_json::{Value, json};

use crate::world::{Answered, World, plus, read, refused, saga, unknown};

/// One event as a browser would see it.
#[derive(Debug, PartialEq)]
struct Event {
    id: Option<String>,
    name: Option<String>,
    data: Value,
}

/// A stream, read event by event.
struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Answers the next block, whatever it is; none: the stream has ended, wholly.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let Some(piece) = self.body.next().await else {
                assert_eq!(self.text, "", "the stream broke off");
                return None;
            };
            self.text
                .push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        }
    }

    /// Answers the next event; none: the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| {
                let line = block
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                line.map(str::to_owned)
            };
            // A comment, or when to come again.
            let Some(data) = field("data") else { continue };
            return Some(Event {
                id: field("id"),
                name: field("event"),
                data: serde_json::from_str(&data).unwrap(),
            });
        }
    }

    async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

async fn ask(world: &World, path: &str, last: Option<&str>) -> Response {
    let mut request = Request::get(path);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    world.open(request.body(Body::empty()).unwrap()).await
}

async fn follow(world: &World, path: &str, last: Option<&str>) -> Events {
    Events::of(ask(world, path, last).await)
}

async fn refused_watch(world: &World, path: &str, last: Option<&str>) -> Answered {
    let answered = read(ask(world, path, last).await).await;
    assert!(answered.status.is_client_error() || answered.status.is_server_error());
    answered
}

#[tokio::test(start_paused = true)]
async fn a_transaction_is_followed_from_its_beginning_to_its_end() {
    let world = World::new().await;
    world.say("http://b2/do", [(0, refused())]);
    world.ok("/api/start", saga("g")).await;
    let mut events = follow(&world, "/api/tx/g/watch", None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.id.as_deref(), first.name), (Some("1"), None));
    assert_eq!(first.data["kind"], "created");
    world
        .ok("/api/submit", json!({"gid": "g", "wait": true}))
        .await;
    let rest = events.all().await;
    assert_eq!(rest.last().unwrap().data["kind"], "aborted");
    let history = world.get("/api/tx/g/events").await.body;
    let told: Vec<&Value> = std::iter::once(&first.data)
        .chain(rest.iter().map(|event| &event.data))
        .collect();
    assert_eq!(told, history.as_array().unwrap().iter().collect::<Vec<_>>());
    assert!(
        rest.iter()
            .all(|event| event.id == Some(event.data["number"].to_string()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_comes_again_goes_on_behind_the_last_event_that_it_saw() {
    let world = World::new().await;
    world
        .ok("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    let all = follow(&world, "/api/tx/g/watch", None).await.all().await;
    let behind = follow(&world, "/api/tx/g/watch", Some("2"))
        .await
        .all()
        .await;
    assert_eq!(behind, all[2..]);
    let last = all.last().unwrap().id.as_deref();
    let nothing = ask(&world, "/api/tx/g/watch", last).await;
    assert_eq!(nothing.status(), 204, "a browser would come again for ever");
}

#[tokio::test(start_paused = true)]
async fn who_has_seen_all_of_an_open_transaction_waits_for_more() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    let mut events = follow(&world, "/api/tx/g/watch", Some("1")).await;
    assert_eq!(events.block().await.unwrap(), "retry: 1000");
    assert_eq!(events.block().await.unwrap(), ":", "kept alive meanwhile");
    world
        .ok("/api/abort", json!({"gid": "g", "wait": true}))
        .await;
    let kinds: Vec<Value> = events
        .all()
        .await
        .into_iter()
        .map(|event| event.data["kind"].clone())
        .collect();
    assert_eq!(kinds.last().unwrap(), "aborted");
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_between_is_the_last_event_and_moves_nobody_on() {
    let world = World::new().await;
    world.say("http://b1/do", (0..50).map(|_| (0, unknown())));
    world.ok("/api/submit", saga("g")).await;
    let mut events = follow(&world, "/api/tx/g/watch", None).await;
    events.next().await.unwrap();
    world.down.now();
    let last = events.all().await.pop().unwrap();
    assert_eq!((last.id, last.name.as_deref()), (None, Some("problem")));
    assert_eq!(last.data["code"], "STORE_UNAVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_cannot_be_is_refused() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    for (path, last, code) in [
        ("/api/tx/nobody/watch", None, "TRANSACTION_NOT_FOUND"),
        ("/api/tx/a%20b/watch", None, "INVALID_GID"),
        ("/api/tx/g/watch", Some("x"), "INVALID_REQUEST"),
        ("/api/tx/g/watch", Some("-1"), "INVALID_REQUEST"),
        ("/api/tx/g/watch", Some("+1"), "INVALID_REQUEST"),
        ("/api/tx/g/watch", Some("4294967296"), "INVALID_REQUEST"),
        ("/api/watch", Some("1"), "INVALID_REQUEST"),
        ("/api/watch?status=DONE", None, "INVALID_REQUEST"),
        ("/api/watch?mode=xa", None, "INVALID_REQUEST"),
        ("/api/watch?stat=STUCK", None, "INVALID_REQUEST"),
    ] {
        assert_eq!(
            refused_watch(&world, path, last).await.code(),
            code,
            "{path} {last:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn watchers_beyond_the_bound_are_told_to_come_later() {
    let config = Config {
        watchers_max: 3,
        ..Config::new(Owner(1))
    };
    let world = World::with(config).await;
    world.ok("/api/start", saga("g")).await;
    // The feed itself takes one place, from the first watcher on.
    let feed = follow(&world, "/api/watch", None).await;
    let one = follow(&world, "/api/tx/g/watch", None).await;
    for path in ["/api/tx/g/watch", "/api/watch"] {
        assert_eq!(refused_watch(&world, path, None).await.code(), "OVERLOADED");
    }
    drop(one);
    let again = follow(&world, "/api/tx/g/watch", None).await;
    drop((feed, again));
}

#[tokio::test(start_paused = true)]
async fn watchers_are_let_go_when_the_server_stops_and_no_more_come() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    let feed = follow(&world, "/api/watch", None).await;
    let one = follow(&world, "/api/tx/g/watch", None).await;
    world.api.stopping();
    assert_eq!(feed.all().await.len(), 1, "the scope");
    assert_eq!(one.all().await.len(), 1, "what it began with");
    for path in ["/api/tx/g/watch", "/api/watch"] {
        assert_eq!(refused_watch(&world, path, None).await.code(), "STOPPING");
    }
}

#[tokio::test(start_paused = true)]
async fn the_feed_says_whose_it_is_and_tells_each_change() {
    let world = World::new().await;
    let mut feed = follow(&world, "/api/watch", None).await;
    let scope = feed.next().await.unwrap();
    assert_eq!(scope.name.as_deref(), Some("scope"));
    assert!(scope.id.is_some());
    assert!(
        scope.data["tells"]
            .as_str()
            .unwrap()
            .contains("server that answers")
    );
    world
        .ok("/api/submit", plus(saga("g"), json!({"wait": true})))
        .await;
    let mut seen = Vec::new();
    loop {
        let event = feed.next().await.unwrap();
        assert_eq!(
            (&event.data["gid"], &event.data["mode"]),
            (&json!("g"), &json!("saga"))
        );
        let status = event.data["status"].as_str().unwrap().to_owned();
        seen.push(status.clone());
        if status == "COMMITTED" {
            break;
        }
    }
    assert!(seen.len() > 1 && seen[0] == "SUBMITTED", "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn the_feed_tells_only_what_was_asked_for() {
    let world = World::new().await;
    let mut feed = follow(&world, "/api/watch?status=aborted,STUCK&mode=saga", None).await;
    feed.next().await.unwrap();
    world
        .ok("/api/submit", plus(saga("good"), json!({"wait": true})))
        .await;
    world.say("http://b1/do", [(0, refused())]);
    world
        .ok("/api/submit", plus(saga("bad"), json!({"wait": true})))
        .await;
    let event = feed.next().await.unwrap();
    assert_eq!(
        (&event.data["gid"], &event.data["status"]),
        (&json!("bad"), &json!("ABORTED"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_was_cut_goes_on_where_it_was_and_loses_nothing() {
    let world = World::new().await;
    let mut feed = follow(&world, "/api/watch", None).await;
    let scope = feed.next().await.unwrap();
    let whole = follow(&world, "/api/watch", scope.id.as_deref()).await;
    world.ok("/api/start", saga("a")).await;
    let seen = feed.next().await.unwrap();
    drop(feed);
    for gid in ["b", "c"] {
        world
            .ok("/api/submit", plus(saga(gid), json!({"wait": true})))
            .await;
    }
    let rest = follow(&world, "/api/watch", seen.id.as_deref()).await;
    world.api.stopping();
    let (whole, rest) = (whole.all().await, rest.all().await);
    assert_eq!(whole[1], seen);
    assert_eq!(rest[0].name.as_deref(), Some("scope"));
    assert_eq!(rest[0].id, seen.id);
    assert_eq!(rest[1..], whole[2..]);
    assert!(
        rest.iter()
            .any(|event| event.data["gid"] == "c" && event.data["status"] == "COMMITTED")
    );
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_went_on_too_far_is_gone() {
    let world = World::new().await;
    let mut feed = follow(&world, "/api/watch", None).await;
    let scope = feed.next().await.unwrap();
    drop(feed);
    let run = scope.id.as_deref().unwrap().split('-').next().unwrap();
    for n in 0..4_200 {
        world
            .ok("/api/start", json!({"gid": format!("g-{n}")}))
            .await;
    }
    for last in [
        scope.id.as_deref().unwrap(),
        &format!("{run}-99999999"),
        "7-0",
    ] {
        let gone = refused_watch(&world, "/api/watch", Some(last)).await;
        assert_eq!(
            (gone.status.as_u16(), gone.code()),
            (410, "EVENTS_GONE"),
            "{last}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_reads_too_slowly_is_cut_off_and_told_where_to_go_on() {
    let world = World::new().await;
    let mut feed = follow(&world, "/api/watch", None).await;
    feed.next().await.unwrap();
    for n in 0..5_500 {
        world
            .ok("/api/start", json!({"gid": format!("g-{n}")}))
            .await;
        // Somebody else keeps up, so that the server's ring moves on.
        if n % 500 == 0 {
            drop(follow(&world, "/api/watch", None).await);
        }
    }
    let mut told = feed.all().await;
    let cut = told.pop().unwrap();
    assert_eq!((cut.id, cut.name.as_deref()), (None, Some("cut")));
    let resume = cut.data["resume"].as_str().unwrap();
    let mut again = follow(&world, "/api/watch", Some(resume)).await;
    assert_eq!(again.next().await.unwrap().id.as_deref(), Some(resume));
    let first = again.next().await.unwrap();
    assert!(first.data["gid"].as_str().unwrap().starts_with("g-"));
    tokio::time::timeout(Duration::from_secs(1), again.next())
        .await
        .unwrap()
        .unwrap();
}
