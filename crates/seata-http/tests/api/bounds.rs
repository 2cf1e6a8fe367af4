//! What is large, slow or hostile: bounded, kept whole, and never echoed where it could do harm.

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;
use std::task::Poll;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{iter, pending, repeat_with};
use http::Request;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use seata_engine::Config;
use seata_http::Limits;
use seata_store::Owner;
use serde_json::{Value, json};

use crate::world::{LIMITS, World, branch, plus, saga};

type Piece = Result<&'static [u8], io::Error>;

#[tokio::test(start_paused = true)]
async fn a_body_that_tells_no_length_is_bounded_while_it_comes() {
    let world = World::new().await;
    let endless = Body::from_stream(repeat_with(|| Piece::Ok(&[b'['; 4096])));
    let answered = world.post_bytes("/api/submit", endless).await;
    assert_eq!(answered.code(), "PAYLOAD_TOO_LARGE");
    assert_eq!(answered.body["details"]["bytes_max"], LIMITS.body_bytes_max);
    let pieces = [Piece::Ok(br#"{"gid":"#), Piece::Ok(br#""pieces"}"#)];
    let answered = world
        .post_bytes("/api/start", Body::from_stream(iter(pieces)))
        .await;
    assert_eq!(answered.body, json!({"gid": "pieces"}));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_or_never_comes_begins_nothing() {
    let world = World::new().await;
    let whole = br#"{"gid":"g"}"#;
    let broken = iter([Piece::Ok(whole), Err(io::ErrorKind::ConnectionReset.into())]);
    let silent = iter([Piece::Ok(whole)]).chain(pending());
    for (body, says) in [
        (Body::from_stream(broken), "broke off"),
        (Body::from_stream(silent), "within 60 s"),
    ] {
        let answered = world.post_bytes("/api/start", body).await;
        assert_eq!(answered.code(), "INVALID_REQUEST");
        assert!(answered.error().contains(says), "{}", answered.body);
    }
    assert_eq!(world.get("/api/tx").await.body, json!([]));
}

#[tokio::test(start_paused = true)]
async fn more_branches_than_allowed_are_refused_however_they_come() {
    let mut config = Config::new(Owner(1));
    config.branches_max = 2;
    let world = World::with(config).await;
    let three = json!({"gid": "g", "branches": [branch("b1"), branch("b2"), branch("b3")]});
    let at_once = world.post("/api/submit", three).await;
    world.ok("/api/start", saga("h")).await;
    let later = world
        .post("/api/branch/add", plus(branch("b3"), json!({"gid": "h"})))
        .await;
    for answered in [at_once, later] {
        assert_eq!(answered.code(), "INVALID_REQUEST");
        assert!(
            answered.error().contains("at most 2 branches"),
            "{}",
            answered.body
        );
        assert_eq!(answered.body["details"]["branches_max"], 2);
    }
    world
        .ok("/api/branch/add", plus(branch("b2"), json!({"gid": "h"})))
        .await;
}

/// The engine knows how many branches a transaction has; of those that come at once nothing is made first.
#[tokio::test(start_paused = true)]
async fn too_many_branches_are_refused_alike_before_and_after_they_are_read() {
    let mut config = Config::new(Owner(1));
    config.branches_max = 2;
    let late = World::with(config).await;
    let limits = Limits {
        branches_max: 2,
        ..LIMITS
    };
    let early = World::with_limits(Config::new(Owner(1)), limits).await;
    let three = json!({"branches": [branch("b1"), branch("b2"), branch("b3")]});
    for more in [json!({}), json!({"gid": "g"}), json!({"gid": "g'"})] {
        for path in ["/api/start", "/api/submit"] {
            let body = plus(three.clone(), more.clone());
            let expected = late.post(path, body.clone()).await;
            assert_eq!(expected.status, 400);
            assert_eq!(early.post(path, body).await.body, expected.body, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_branches_without_number_none_is_looked_at() {
    let world = World::new().await;
    for count in [1_001, 20_000] {
        let body = json!({"gid": "g", "branches": vec![json!({}); count]});
        let answered = world.post("/api/submit", body).await;
        assert_eq!(answered.code(), "INVALID_REQUEST");
        let expected = json!({"branches_max": 1_000, "field": "branches", "gid": "g"});
        assert_eq!(answered.body["details"], expected);
    }
}

#[tokio::test(start_paused = true)]
async fn names_of_branches_before_it_without_number_are_refused() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    for count in [10_001, 15_000] {
        let added = plus(branch("b3"), json!({"gid": "g", "after": vec!["b"; count]}));
        let answered = world.post("/api/branch/add", added).await;
        assert_eq!(answered.code(), "INVALID_REQUEST");
        assert_eq!(answered.body["details"]["field"], "after");
        assert!(answered.error().contains("more than 10000 names"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_branch_comes_once_after_another_however_often_it_says_so() {
    let world = World::new().await;
    world.ok("/api/start", saga("g")).await;
    let after = ["b2", "b1", "b2", "b1"].repeat(1_000);
    let added = plus(branch("b3"), json!({"gid": "g", "after": after}));
    for _ in 0..2 {
        world.ok("/api/branch/add", added.clone()).await;
    }
    let known = world.get("/api/tx/g").await.body;
    assert_eq!(known["branches"][2]["after"], json!(["b2", "b1"]));
}

#[tokio::test(start_paused = true)]
async fn a_payload_as_large_as_allowed_reaches_the_participant_whole() {
    let world = World::with_limits(Config::new(Owner(1)), Limits::default()).await;
    let large = "\u{e4}\u{1f600}x"
        .repeat(1 << 20)
        .chars()
        .take(290_000)
        .collect::<String>();
    let exact = "y".repeat((1 << 20) - 2);
    let body = json!({"gid": "g", "payload": {"text": large}, "wait": true,
        "branches": [branch("b1"), plus(branch("b2"), json!({"payload": exact}))]});
    let ended = world.ok("/api/submit", body).await;
    assert_eq!(ended["status"], "committed");
    assert_eq!(ended["transaction"]["payload"]["text"], large);
    let calls = world.script.calls.lock().unwrap();
    let sent: Vec<Value> = calls
        .iter()
        .map(|call| serde_json::from_slice(&call.payload().unwrap().bytes).unwrap())
        .collect();
    assert_eq!(sent, [json!({"text": large}), json!(exact)]);
}

#[tokio::test(start_paused = true)]
async fn a_gid_with_quotes_or_markup_is_refused_wherever_it_may_stand() {
    let world = World::new().await;
    for bad in [
        "'; DROP TABLE global_transaction; --",
        "<script>alert(1)</script>",
        "a\"b",
        "a\\b",
        "a\u{0}b",
        "a/b",
        "a b",
        "a+b",
        "ä",
        "%27",
        "$(x)",
        "{p}",
    ] {
        for path in ["/api/start", "/api/submit", "/api/abort"] {
            let answered = world
                .post(path, json!({"gid": bad, "branches": [branch("b")]}))
                .await;
            assert_eq!(answered.code(), "INVALID_GID", "{path} {bad}");
        }
        let added = world
            .post("/api/branch/add", plus(branch("b"), json!({"gid": bad})))
            .await;
        assert_eq!(added.code(), "INVALID_GID", "{bad}");
        let encoded: String = bad.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in ["", "/events"] {
            let answered = world.get(&format!("/api/tx/{encoded}{path}")).await;
            assert_eq!(answered.code(), "INVALID_GID", "{path} {bad}");
        }
        for order in ["retry", "skip", "force"] {
            let body = json!({"reason": "x", "branch_id": "b", "to": "aborted"});
            let answered = world
                .post(&format!("/api/tx/{encoded}/{order}"), body)
                .await;
            assert_eq!(answered.code(), "INVALID_GID", "{order} {bad}");
        }
        for name in ["gid_prefix", "cursor"] {
            let answered = world.get(&format!("/api/tx?{name}=1~{encoded}")).await;
            assert_eq!(answered.code(), "INVALID_REQUEST", "{name} {bad}");
        }
        let named = world
            .post(
                "/api/start",
                json!({"branches": [plus(branch("b"), json!({"branch_id": bad}))]}),
            )
            .await;
        assert_eq!(
            named.body["details"]["field"], "branches[0].branch_id",
            "{bad}"
        );
    }
    assert_eq!(world.get("/api/tx").await.body, json!([]));
}

/// Keeps the names and labels of all series.
#[derive(Default)]
struct Series(Mutex<BTreeSet<String>>);

impl Series {
    fn note(&self, key: &Key) {
        self.0.lock().unwrap().insert(format!("{key}"));
    }
    fn seen(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Recorder for Series {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.note(key);
        Counter::noop()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.note(key);
        Gauge::noop()
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.note(key);
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn no_request_makes_a_metric_series_of_its_own() {
    let series = Series::default();
    let _recording = metrics::set_default_local_recorder(&series);
    let world = World::new().await;
    let ask = async |name: &str| {
        world
            .post("/api/submit", plus(saga(name), json!({"wait": true})))
            .await;
        world
            .post("/api/submit", json!({"gid": format!("{name}-none")}))
            .await;
        world
            .post("/api/start", json!({"gid": format!("{name}'")}))
            .await;
        world.get(&format!("/api/tx/{name}")).await;
        world.get(&format!("/api/tx/{name}/events?x={name}")).await;
        world.get(&format!("/api/tx?gid_prefix={name}")).await;
        world.get(&format!("/{name}")).await;
        world.get(&format!("/api/tx/{name}/{name}")).await;
    };
    ask("secret-0").await;
    let first = series.seen();
    assert!(
        first.iter().any(|key| key.contains("/api/tx/{gid}")),
        "{first:?}"
    );
    for n in 1..20 {
        ask(&format!("secret-{n}")).await;
    }
    assert_eq!(series.seen(), first);
    assert!(!first.iter().any(|key| key.contains("secret")), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn bodies_on_their_way_are_bounded_in_all() {
    let limits = Limits {
        body_bytes_max: 64 << 20,
        ..LIMITS
    };
    let world = World::with_limits(Config::new(Owner(1)), limits).await;
    let large = Bytes::from(vec![b' '; limits.body_bytes_max]);
    let silent = || {
        let request = Request::post("/api/start")
            .header("content-type", "application/json")
            .body(Body::from_stream(
                iter([io::Result::Ok(large.clone())]).chain(pending()),
            ));
        world.send(request.unwrap())
    };
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(silent())).collect();
    for one in &mut waiting {
        assert!(poll_once(one.as_mut()).await.is_none());
    }
    let refused = world.post("/api/start", json!({"gid": "g"})).await;
    assert_eq!(refused.code(), "OVERLOADED");
    assert_eq!(world.get("/livez").await.status, 200);
    drop(waiting.pop());
    world.ok("/api/start", json!({"gid": "g"})).await;
    for one in waiting {
        assert_eq!(one.await.code(), "INVALID_REQUEST");
    }
    let mut again: Vec<_> = (0..4).map(|_| Box::pin(silent())).collect();
    for one in &mut again {
        assert!(
            poll_once(one.as_mut()).await.is_none(),
            "all room is free again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_the_store_are_bounded_in_all() {
    let limits = Limits {
        body_bytes_max: 64 << 20,
        ..LIMITS
    };
    let world = World::with_limits(Config::new(Owner(1)), limits).await;
    // White space is part of a body, and makes it large without a large payload.
    let mut large = br#"{"gid":"g"}"#.to_vec();
    large.resize(limits.body_bytes_max, b' ');
    let large = Bytes::from(large);
    let asked = || world.post_bytes("/api/start", large.clone());
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(asked())).collect();
    for one in &mut waiting {
        assert!(poll_once(one.as_mut()).await.is_none());
    }
    let refused = world.post("/api/start", json!({"gid": "h"})).await;
    assert_eq!(refused.code(), "OVERLOADED");
    for one in waiting {
        assert_eq!(one.await.status, 200);
    }
    world.ok("/api/start", json!({"gid": "h"})).await;
}

async fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    let mut future = future;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
