//! Branches over gRPC: what is sent, and what each answer and each kind of silence is read as.

use std::convert::Infallible;
use std::future::{pending, ready};
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, Response, Version};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use seata_core::Outcome;
use seata_executor::{Executor, ExecutorConfig};

use crate::calls::{Changed, call, header, json, made, reason, within};
use crate::participant::{Answered, Participant};

const SHORT: Duration = Duration::from_millis(100);

/// A message of one byte, as gRPC frames it.
const MESSAGE: &[u8] = b"\0\0\0\0\x01x";

pub(crate) fn fields(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect()
}

/// An answer with a message and its status behind it.
pub(crate) fn replied(trailers: &[(&'static str, &str)]) -> Response<impl Answered + use<>> {
    let trailers = fields(trailers);
    let body = Full::new(Bytes::from_static(MESSAGE));
    Response::new(body.with_trailers(ready(Some(Ok::<_, Infallible>(trailers)))))
}

/// An answer that ends with its head.
fn trailers_only(head: &[(&'static str, &str)]) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.headers_mut() = fields(head);
    response
}

/// An answer whose body consists of these parts.
fn in_parts(
    parts: impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Response<impl Answered> {
    Response::new(StreamBody::new(parts.map(|part| part.map(Frame::data))))
}

async fn outcome_of(participant: &Participant) -> Outcome {
    let executor = Executor::new(ExecutorConfig::default());
    made(&executor, call(&participant.grpc())).await
}

async fn outcome_within(participant: &Participant, limit: Duration) -> Outcome {
    let executor = Executor::new(ExecutorConfig::default());
    made(&executor, within(&participant.grpc(), limit)).await
}

fn expected(code: u16) -> &'static str {
    match code {
        0 => "success",
        9 => "ongoing",
        10 => "failure",
        _ => "unknown",
    }
}

#[tokio::test]
async fn each_code_behind_a_message_has_its_outcome() {
    let executor = Executor::new(ExecutorConfig::default());
    for code in 0..18 {
        let text = code.to_string();
        let participant =
            Participant::answering(move |_| ready(replied(&[("grpc-status", text.as_str())])))
                .await;
        let outcome = made(&executor, call(&participant.grpc())).await;
        assert_eq!(outcome.as_str(), expected(code), "{code}");
    }
}

#[tokio::test]
async fn each_code_in_a_head_alone_has_the_same_outcome() {
    let executor = Executor::new(ExecutorConfig::default());
    for code in 0..18 {
        let text = code.to_string();
        let participant = Participant::answering(move |_| {
            ready(trailers_only(&[("grpc-status", text.as_str())]))
        })
        .await;
        let outcome = made(&executor, call(&participant.grpc())).await;
        assert_eq!(outcome.as_str(), expected(code), "{code}");
    }
}

#[tokio::test]
async fn ok_without_a_message_is_a_success() {
    let participant = Participant::answering(|_| {
        let trailers = fields(&[("grpc-status", "0")]);
        let body = Empty::<Bytes>::new();
        ready(Response::new(body.with_trailers(ready(Some(Ok(trailers))))))
    })
    .await;
    assert_eq!(outcome_of(&participant).await, Outcome::Success);
}

#[tokio::test]
async fn a_refusal_tells_what_the_participant_said() {
    let said = [("grpc-status", "10"), ("grpc-message", "no%20money")];
    let participant = Participant::answering(move |_| ready(replied(&said))).await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "failure");
    assert_eq!(reason(&outcome), "ABORTED: no money");
}

#[tokio::test]
async fn an_answer_without_a_status_is_unknown_whatever_its_message() {
    let participant = Participant::answering(|_| ready(replied(&[("x-other", "0")]))).await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "the answer has no grpc-status");
    let web = Participant::always(200, "<html>").await;
    let outcome = outcome_of(&web).await;
    assert_eq!(reason(&outcome), "the answer has no grpc-status");
}

#[tokio::test]
async fn a_proxy_that_answers_in_the_participants_place_decides_nothing() {
    for (status, code) in [(503, "0"), (409, "10"), (202, "9"), (204, "0"), (404, "0")] {
        let participant = Participant::answering(move |_| {
            let mut response = trailers_only(&[("grpc-status", code)]);
            *response.status_mut() = status.try_into().unwrap();
            ready(response)
        })
        .await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), "unknown", "{status} {code}");
        let status = format!("HTTP status {status}");
        assert!(reason(&outcome).starts_with(&status), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_reset_before_its_status_is_unknown() {
    let participant = Participant::answering(|_| {
        let parts = [
            Ok(Bytes::from_static(MESSAGE)),
            Err(io::Error::other("gone")),
        ];
        ready(in_parts(stream::iter(parts)))
    })
    .await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    // The reset may overtake the head.
    assert!(reason(&outcome).contains("broke off"), "{outcome:?}");
}

#[tokio::test]
async fn a_status_in_a_head_that_is_not_the_end_settles_nothing_by_itself() {
    let broken_off = Participant::answering(|_| {
        let parts = [
            Ok(Bytes::from_static(MESSAGE)),
            Err(io::Error::other("gone")),
        ];
        let mut response = in_parts(stream::iter(parts));
        *response.headers_mut() = fields(&[("grpc-status", "0")]);
        ready(response)
    })
    .await;
    assert_eq!(outcome_of(&broken_off).await.as_str(), "unknown");
    let refusing = Participant::answering(|_| {
        let mut response = replied(&[("grpc-status", "10")]);
        *response.headers_mut() = fields(&[("grpc-status", "0")]);
        ready(response)
    })
    .await;
    assert_eq!(outcome_of(&refusing).await.as_str(), "failure");
}

#[tokio::test]
async fn a_slow_answer_is_unknown_before_its_head_and_before_its_status() {
    let silent = Participant::answering(|_| pending::<Response<Full<Bytes>>>()).await;
    let endless = Participant::answering(|_| {
        let begun = stream::iter([Ok(Bytes::from_static(MESSAGE))]);
        ready(in_parts(begun.chain(stream::pending())))
    })
    .await;
    for participant in [silent, endless] {
        let outcome = outcome_within(&participant, SHORT).await;
        assert_eq!(outcome.as_str(), "unknown");
        assert_eq!(reason(&outcome), "no answer within 0.1 s");
    }
}

#[tokio::test]
async fn an_answer_beyond_the_bound_is_unknown_and_one_within_is_read() {
    let executor = Executor::new(ExecutorConfig {
        answer_bytes_max: 1_000,
        ..ExecutorConfig::default()
    });
    for (bytes, expected) in [(1_000, "success"), (1_001, "unknown")] {
        let participant = Participant::answering(move |_| {
            let trailers = fields(&[("grpc-status", "0")]);
            let body = Full::new(Bytes::from(vec![0; bytes]));
            ready(Response::new(body.with_trailers(ready(Some(Ok::<
                _,
                Infallible,
            >(
                trailers
            ))))))
        })
        .await;
        let outcome = made(&executor, call(&participant.grpc())).await;
        assert_eq!(outcome.as_str(), expected, "{bytes}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_participant_that_speaks_http_1_alone_is_unknown() {
    let participant = Participant::writing(&["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]).await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(!reason(&outcome).is_empty());
}

#[tokio::test]
async fn a_call_carries_its_payload_as_the_message_and_its_keys_as_metadata() {
    let participant = Participant::answering(|_| ready(replied(&[("grpc-status", "0")]))).await;
    let executor = Executor::new(ExecutorConfig::default());
    let call = within(&participant.grpc(), Duration::from_millis(12_500)).with_branch(|branch| {
        branch.payload = Some(json(r#"{"amount":30}"#));
        branch.headers = vec![
            header("authorization", "Bearer x"),
            header("content-type", "text/plain"),
            header("te", "gzip"),
            header("grpc-encoding", "gzip"),
            header("grpc-timeout", "1H"),
            header("seata-gid", "other"),
        ];
    });
    assert_eq!(made(&executor, call).await, Outcome::Success);
    let received = participant.notes.received().remove(0);
    assert_eq!(received.version, Version::HTTP_2);
    assert_eq!(received.method, http::Method::POST);
    assert_eq!(received.uri.path(), "/bank.v1.Account/Debit");
    assert_eq!(received.uri.scheme_str(), Some("http"));
    assert_eq!(received.body.as_ref(), b"\0\0\0\0\x0d{\"amount\":30}");
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "12500m"),
        ("seata-gid", "order-1"),
        ("seata-branch-id", "stock"),
        ("seata-operation", "action"),
        ("seata-attempt", "3"),
        ("idempotency-key", "order-1/stock/action"),
        ("authorization", "Bearer x"),
    ] {
        assert_eq!(received.headers[name], value, "{name}");
        assert_eq!(received.headers.get_all(name).iter().count(), 1, "{name}");
    }
    assert!(received.headers.contains_key("traceparent"));
    assert!(!received.headers.contains_key("grpc-encoding"));
}

#[tokio::test]
async fn a_call_without_a_payload_sends_the_empty_message() {
    let participant = Participant::answering(|_| ready(replied(&[("grpc-status", "0")]))).await;
    assert_eq!(outcome_of(&participant).await, Outcome::Success);
    let received = participant.notes.received().remove(0);
    assert_eq!(received.body.as_ref(), [0; 5]);
}

#[tokio::test]
async fn calls_to_one_participant_share_a_connection() {
    let participant = Participant::answering(|_| ready(replied(&[("grpc-status", "0")]))).await;
    let executor = Executor::new(ExecutorConfig::default());
    let url = participant.grpc();
    assert_eq!(made(&executor, call(&url)).await, Outcome::Success);
    let (a, b) = tokio::join!(made(&executor, call(&url)), made(&executor, call(&url)));
    assert_eq!([a, b], [const { Outcome::Success }; 2]);
    assert_eq!(participant.notes.received().len(), 3);
    assert_eq!(participant.notes.connections(), 1);
}
