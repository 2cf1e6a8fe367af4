//! Watching: each event once, in order, over as many connections as it takes.

use std::time::Duration;

use futures_util::FutureExt;
use seata_client::{
    Client, ClientConfig, Error, ErrorCode, EventKind, FeedQuery, Repeat, Status, Watch,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::coordinator::{
    Asked, Coordinator, PATIENT, client, gid, json as answer, text, transaction,
};

fn event(number: u64, kind: &str) -> Value {
    json!({"number": number, "time": "2030-01-31T12:00:07.201Z", "kind": kind})
}

fn told(events: &[(u64, &str)]) -> String {
    let texts = events
        .iter()
        .map(|(number, kind)| format!("id: {number}\ndata: {}\n\n", event(*number, kind)));
    texts.collect()
}

async fn numbers(mut watch: Watch) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(event) = watch.next().await {
        numbers.push(event.unwrap().number);
    }
    numbers
}

fn last_event_id(asked: &Asked) -> Option<&str> {
    asked.headers.get("last-event-id")?.to_str().ok()
}

#[tokio::test]
async fn a_watch_that_breaks_off_goes_on_behind_the_last_event() {
    let coordinator = Coordinator::answering(|_, asked| match asked.path.as_str() {
        "/api/tx/order-1/watch" => match last_event_id(asked) {
            None => text(
                200,
                &format!(
                    ": hello\n\n{}id: 3\ndata: {{\"cut",
                    told(&[(1, "created"), (2, "submitted")])
                ),
            ),
            // A server may tell an event again.
            Some("2") => text(
                200,
                &told(&[
                    (2, "submitted"),
                    (3, "answered"),
                    (5, "committed"),
                    (6, "odd"),
                ]),
            ),
            Some(other) => panic!("{other}"),
        },
        "/api/tx/order-1" => answer(200, &transaction("SUBMITTED")),
        "/api/tx/order-1/events" => {
            answer(200, &json!([event(1, "created"), event(2, "submitted")]))
        }
        other => panic!("{other}"),
    })
    .await;
    let numbers = numbers(coordinator.client().watch(&gid())).await;
    assert_eq!(numbers, [1, 2, 3, 5]);
}

#[tokio::test]
async fn what_was_missed_is_read_from_the_history_once_the_transaction_has_ended() {
    let coordinator = Coordinator::answering(|_, asked| match asked.path.as_str() {
        "/api/tx/order-1/watch" => text(200, &told(&[(1, "created")])),
        "/api/tx/order-1" => answer(200, &transaction("ABORTED")),
        _ => answer(
            200,
            &json!([
                event(1, "created"),
                event(2, "turned_round"),
                event(3, "aborted")
            ]),
        ),
    })
    .await;
    let mut watch = coordinator.client().watch(&gid());
    let mut kinds = Vec::new();
    while let Some(event) = watch.next().await {
        kinds.push(event.unwrap().kind);
    }
    assert_eq!(
        kinds,
        [
            EventKind::Created,
            EventKind::TurnedRound,
            EventKind::Aborted
        ]
    );
    assert_eq!(watch.last(), Some(3));
}

#[tokio::test]
async fn a_watch_of_what_has_ended_ends_without_a_word() {
    let coordinator = Coordinator::answering(|_, asked| match asked.path.as_str() {
        "/api/tx/order-1/watch" => text(200, ": nothing more\n\n"),
        "/api/tx/order-1" => answer(200, &transaction("COMMITTED")),
        _ => answer(200, &json!([event(1, "created"), event(2, "committed")])),
    })
    .await;
    let watch = coordinator.client().watch_after(&gid(), 2);
    assert_eq!(numbers(watch).await, [0_u64; 0]);
    assert_eq!(last_event_id(&coordinator.asked()[0]), Some("2"));
}

#[tokio::test]
async fn a_watch_that_is_refused_says_so_and_ends() {
    let refusal = json!({"error": "none", "code": "TRANSACTION_NOT_FOUND", "details": {}});
    let coordinator = Coordinator::always(404, refusal).await;
    let mut watch = coordinator.client().watch(&gid());
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(watch.next().await.is_none());
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn an_event_that_cant_be_understood_ends_the_watch() {
    let coordinator = Coordinator::answering(|_, _| text(200, "id: 1\ndata: []\n\n")).await;
    let mut watch = coordinator.client().watch(&gid());
    let error = watch.next().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)), "{error}");
    assert!(watch.next().await.is_none());
}

/// A server that can't go on with a watch says why, in an event that is none of the history.
#[tokio::test]
async fn a_watch_that_ends_with_a_problem_goes_on_from_the_history() {
    let coordinator = Coordinator::answering(|count, asked| match asked.path.as_str() {
        "/api/tx/order-1/watch" => {
            let problem =
                "event: problem\ndata: {\"error\": \"x\", \"code\": \"STORE_UNAVAILABLE\"}\n\n";
            text(
                200,
                &format!(
                    "{}event: odd\ndata: 1\n\n{problem}",
                    told(&[(1, "created")])
                ),
            )
        }
        "/api/tx/order-1" => answer(
            200,
            &transaction(if count < 6 { "SUBMITTED" } else { "COMMITTED" }),
        ),
        _ => {
            let mut history = vec![event(1, "created"), event(2, "submitted")];
            if count >= 6 {
                history.push(event(3, "committed"));
            }
            answer(200, &json!(history))
        }
    })
    .await;
    let mut kinds = Vec::new();
    let mut watch = coordinator.client().watch(&gid());
    while let Some(event) = watch.next().await {
        kinds.push(event.unwrap().kind);
    }
    assert_eq!(
        kinds,
        [
            EventKind::Created,
            EventKind::Submitted,
            EventKind::Committed
        ]
    );
}

fn change(id: u32, status: &str) -> String {
    let data = json!({"gid": format!("g{id}"), "mode": "tcc", "status": status, "last_event": 7});
    format!("id: e-{id}\ndata: {data}\n\n")
}

#[tokio::test]
async fn all_changes_are_told_over_connections_until_some_were_missed() {
    let coordinator = Coordinator::answering(|count, asked| match (count, last_event_id(asked)) {
        // It breaks off before it tells of any change: none of those after it may be lost.
        (0, None) => text(200, "id: e-1\nevent: scope\ndata: {}\n\n"),
        (1, Some("e-1")) => text(200, &change(2, "STUCK")),
        (2, Some("e-2")) => text(200, &change(3, "COMMITTED")),
        (3, Some("e-3")) => text(200, "event: cut\ndata: {\"resume\": \"e-9\"}\n\n"),
        other => panic!("{other:?}"),
    })
    .await;
    let mut feed = coordinator.client().watch_all(FeedQuery {
        statuses: vec![Status::Stuck, Status::Committed],
        mode: Some("tcc".to_owned()),
        behind: None,
    });
    let first = feed.next().await.unwrap().unwrap();
    assert_eq!((first.id.as_str(), first.gid.as_str()), ("e-2", "g2"));
    let second = feed.next().await.unwrap().unwrap();
    assert_eq!((second.status, second.last_event), (Status::Committed, 7));
    let error = feed.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::EventsGone));
    assert!(feed.next().await.is_none());
    let path = "GET /api/watch?status=STUCK,COMMITTED&mode=tcc";
    assert_eq!(coordinator.paths(), [path; 4]);
}

/// A coordinator that ends each watch behind its first event, and knows of nothing more.
async fn breaking_off() -> Coordinator {
    Coordinator::answering(
        |_, asked| match (asked.path.as_str(), last_event_id(asked)) {
            ("/api/watch?", None) => text(200, &change(1, "STUCK")),
            ("/api/watch?", Some("e-1")) => text(200, &change(2, "STUCK")),
            ("/api/tx/order-1/watch", None) => text(200, &told(&[(1, "created")])),
            ("/api/tx/order-1/watch", Some("1")) => text(200, &told(&[(2, "committed")])),
            ("/api/tx/order-1", None) => answer(200, &transaction("SUBMITTED")),
            ("/api/tx/order-1/events", None) => answer(200, &json!([event(1, "created")])),
            other => panic!("{other:?}"),
        },
    )
    .await
}

/// Calls until there is an answer, as in a `select!` beside something that happens all the time: each call is polled
/// once, and so is shorter than any request.
async fn polled<T>(mut next: impl AsyncFnMut() -> T) -> T {
    let told = async {
        loop {
            if let Some(told) = next().now_or_never() {
                return told;
            }
            sleep(Duration::from_millis(1)).await;
        }
    };
    let told = timeout(PATIENT, told).await;
    told.expect("there is an answer in the end")
}

#[tokio::test]
async fn a_watch_goes_on_behind_calls_that_were_dropped() {
    let coordinator = breaking_off().await;
    let mut watch = coordinator.client().watch(&gid());
    assert_eq!(watch.next().await.unwrap().unwrap().number, 1);
    let second = polled(async || watch.next().await).await;
    assert_eq!(second.unwrap().unwrap().number, 2);
}

#[tokio::test]
async fn a_feed_goes_on_behind_calls_that_were_dropped() {
    let coordinator = breaking_off().await;
    let mut feed = coordinator.client().watch_all(FeedQuery::default());
    assert_eq!(feed.next().await.unwrap().unwrap().id, "e-1");
    let second = polled(async || feed.next().await).await;
    assert_eq!(second.unwrap().unwrap().id, "e-2");
}

#[tokio::test]
async fn calls_shorter_than_any_request_tell_the_end() {
    let coordinator = Coordinator::answering(|_, asked| match asked.path.as_str() {
        "/api/tx/order-1/watch" => text(200, &told(&[(1, "created")])),
        "/api/tx/order-1" => answer(200, &transaction("COMMITTED")),
        _ => answer(200, &json!([event(1, "created"), event(2, "committed")])),
    })
    .await;
    let mut watch = coordinator.client().watch(&gid());
    assert_eq!(watch.next().await.unwrap().unwrap().number, 1);
    let last = polled(async || watch.next().await).await.unwrap().unwrap();
    assert_eq!((last.number, last.kind), (2, EventKind::Committed));
    assert!(watch.next().await.is_none());
}

#[tokio::test]
async fn calls_shorter_than_any_request_say_that_nobody_is_there() {
    // Bound and dropped: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(&format!("http://{}", listener.local_addr().unwrap()));
    drop(listener);
    let mut watch = client.watch(&gid());
    let told = polled(async || watch.next().await).await;
    let error = told.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    let mut feed = client.watch_all(FeedQuery::default());
    let told = polled(async || feed.next().await).await;
    let error = told.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert!(watch.next().await.is_none());
    assert!(feed.next().await.is_none());
}

const AGE: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(10);

fn pausing_for_an_age(coordinator: &Coordinator, attempts_max: u32) -> Client {
    let config = ClientConfig {
        repeat: Repeat {
            attempts_max,
            pause_first: AGE,
            pause_max: AGE,
        },
        ..ClientConfig::default()
    };
    Client::http_with(&coordinator.url(), config).unwrap()
}

#[tokio::test]
async fn a_call_that_is_dropped_asks_no_sooner_than_the_coordinator_said() {
    let coordinator = Coordinator::answering(|_, _| {
        let refusal = json!({"error": "full", "code": "OVERLOADED", "details": {}});
        let mut response = answer(503, &refusal);
        let headers = response.headers_mut();
        headers.insert("retry-after", AGE.as_secs().into());
        response
    })
    .await;
    let client = pausing_for_an_age(&coordinator, 4);
    let mut watch = client.watch(&gid());
    let mut feed = client.watch_all(FeedQuery::default());
    let both_are_asked = async {
        while coordinator.asked().len() < 2 {
            assert!(timeout(SHORT, watch.next()).await.is_err());
            assert!(timeout(SHORT, feed.next()).await.is_err());
        }
    };
    timeout(PATIENT, both_are_asked).await.unwrap();
    for _ in 0..20 {
        assert!(timeout(SHORT, watch.next()).await.is_err());
        assert!(timeout(SHORT, feed.next()).await.is_err());
    }
    let mut paths = coordinator.paths();
    paths.sort();
    assert_eq!(paths, ["GET /api/tx/order-1/watch", "GET /api/watch?"]);
}

#[tokio::test]
async fn a_call_that_is_dropped_shortens_no_pause() {
    let coordinator = breaking_off().await;
    let client = pausing_for_an_age(&coordinator, 1);
    let mut watch = client.watch(&gid());
    let mut feed = client.watch_all(FeedQuery::default());
    watch.next().await.unwrap().unwrap();
    feed.next().await.unwrap().unwrap();
    for _ in 0..20 {
        assert!(timeout(SHORT, watch.next()).await.is_err());
        assert!(timeout(SHORT, feed.next()).await.is_err());
    }
    for watched in ["GET /api/tx/order-1/watch", "GET /api/watch?"] {
        let paths = coordinator.paths();
        assert_eq!(paths.iter().filter(|path| *path == watched).count(), 1);
    }
}
