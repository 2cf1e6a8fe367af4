//! What is sent again by itself, and what never is.

use seata_client::{Error, ErrorCode};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::coordinator::{Coordinator, client, gid, json as answer, text, transaction};

fn later(status: u16, secs: u32) -> http::Response<http_body_util::Full<bytes::Bytes>> {
    let refusal = json!({"error": "full", "code": "OVERLOADED", "details": {}});
    let mut response = answer(status, &refusal);
    response.headers_mut().insert("retry-after", secs.into());
    response
}

#[tokio::test]
async fn what_may_pass_is_asked_again_until_it_has() {
    for status in [429, 503] {
        let coordinator = Coordinator::answering(move |count, _| match count {
            0 | 1 => later(status, 0),
            _ => answer(200, &transaction("SUBMITTED")),
        })
        .await;
        assert!(coordinator.client().get(&gid()).await.is_ok());
        assert_eq!(coordinator.asked().len(), 3);
    }
}

#[tokio::test]
async fn asking_again_is_bounded_in_number_and_in_time() {
    let coordinator = Coordinator::answering(|_, _| later(503, 0)).await;
    let error = coordinator.client().get(&gid()).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::Overloaded));
    assert!(error.may_pass());
    assert_eq!(coordinator.asked().len(), 3);
    let coordinator = Coordinator::answering(|_, _| later(429, 3_600)).await;
    assert!(coordinator.client().get(&gid()).await.is_err());
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn a_refusal_and_what_is_no_coordinator_are_not_asked_again() {
    for status in [400, 404, 409, 413, 500, 503] {
        let coordinator =
            Coordinator::always(status, json!({"error": "x", "code": "INTERNAL"})).await;
        assert!(coordinator.client().get(&gid()).await.is_err());
        assert_eq!(coordinator.asked().len(), 1, "{status}");
    }
    let coordinator = Coordinator::answering(|_, _| text(200, "<html>")).await;
    let error = coordinator.client().get(&gid()).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)), "{error}");
    assert_eq!(coordinator.asked().len(), 1);
}

#[tokio::test]
async fn a_coordinator_that_nobody_listens_for_is_unreachable() {
    // Bound and dropped: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).get(&gid()).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error}");
    assert!(error.may_pass());
}

#[tokio::test]
async fn a_connection_that_breaks_off_under_a_request_is_left_to_the_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let closing = tokio::spawn(async move {
        let mut requests = 0;
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.unwrap();
            requests += usize::from(read > 0);
            if requests > 0 {
                break;
            }
        }
        requests
    });
    let error = client(&url).submit(&gid()).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer(_)), "{error}");
    assert!(error.may_pass());
    assert_eq!(closing.await.unwrap(), 1);
}
