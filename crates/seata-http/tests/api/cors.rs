//! What browsers are told about pages of other origins.

use axum::body::Body;
use http::{HeaderMap, Request};
use seata_http::Origins;

use crate::world::{Answered, World};

const OURS: &str = "https://app.example";

async fn with_origins(origins: &str) -> World {
    World::for_pages_of(Origins::parse(origins).unwrap()).await
}

async fn preflight(world: &World, origin: &str) -> Answered {
    let request = Request::options("/api/submit")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    world.send(request.body(Body::empty()).unwrap()).await
}

async fn asked(world: &World, origin: &str) -> Answered {
    let request = Request::get("/api/tx").header("origin", origin);
    world.send(request.body(Body::empty()).unwrap()).await
}

fn allowed(headers: &HeaderMap) -> Option<&str> {
    headers
        .get("access-control-allow-origin")
        .map(|value| value.to_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_page_of_a_listed_origin_may_ask_and_read_what_it_needs() {
    let world = with_origins("http://localhost:3000,https://app.example").await;
    for origin in [OURS, "http://localhost:3000"] {
        let before = preflight(&world, origin).await;
        assert!(before.status.is_success(), "{before:?}");
        assert_eq!(allowed(&before.headers), Some(origin));
        let listed = |name: &str| before.headers[name].to_str().unwrap().to_lowercase();
        assert!(listed("access-control-allow-methods").contains("post"));
        for header in ["content-type", "last-event-id"] {
            assert!(listed("access-control-allow-headers").contains(header));
        }
        let answered = asked(&world, origin).await;
        assert_eq!(
            (answered.status.as_u16(), allowed(&answered.headers)),
            (200, Some(origin))
        );
        let exposed = answered.headers["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("x-next-cursor") && exposed.contains("retry-after"));
        assert!(
            answered.headers["vary"]
                .to_str()
                .unwrap()
                .contains("origin")
        );
        assert!(
            !answered
                .headers
                .contains_key("access-control-allow-credentials")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_may_be_read_by_a_page_too() {
    let world = with_origins(OURS).await;
    let request = Request::get("/api/tx/nobody").header("origin", OURS);
    let answered = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answered.code(), "TRANSACTION_NOT_FOUND");
    assert_eq!(allowed(&answered.headers), Some(OURS));
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_origin_is_not_allowed() {
    let world = with_origins(OURS).await;
    for origin in [
        "https://app.example.evil",
        "http://app.example",
        "https://app.example:8443",
        "null",
    ] {
        assert_eq!(
            allowed(&preflight(&world, origin).await.headers),
            None,
            "{origin}"
        );
        assert_eq!(
            allowed(&asked(&world, origin).await.headers),
            None,
            "{origin}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_page_is_allowed_unless_it_is_configured() {
    let world = World::new().await;
    let before = preflight(&world, OURS).await;
    assert_eq!(before.code(), "METHOD_NOT_ALLOWED");
    assert_eq!(allowed(&before.headers), None);
    let answered = asked(&world, OURS).await;
    assert_eq!(
        (answered.status.as_u16(), allowed(&answered.headers)),
        (200, None)
    );
}
