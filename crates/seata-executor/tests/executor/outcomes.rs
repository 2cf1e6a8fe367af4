//! What each answer, and each kind of silence, is read as.

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use seata_core::{Outcome, Reason};
use seata_executor::{Executor, ExecutorConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::calls::{call, made, reason, within};
use crate::participant::{Participant, answer, note_head};

const SHORT: Duration = Duration::from_millis(100);

async fn outcome_of(participant: &Participant) -> Outcome {
    let executor = Executor::new(ExecutorConfig::default());
    made(&executor, call(&participant.url())).await
}

async fn outcome_within(participant: &Participant, limit: Duration) -> Outcome {
    let executor = Executor::new(ExecutorConfig::default());
    made(&executor, within(&participant.url(), limit)).await
}

#[tokio::test]
async fn each_row_of_the_table_holds_over_a_socket() {
    for (status, expected) in [
        (200, "success"),
        (201, "success"),
        (202, "ongoing"),
        (204, "success"),
        (299, "success"),
        (304, "unknown"),
        (400, "unknown"),
        (404, "unknown"),
        (408, "unknown"),
        (409, "failure"),
        (425, "ongoing"),
        (429, "unknown"),
        (500, "unknown"),
        (503, "unknown"),
    ] {
        let participant = Participant::always(status, "").await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), expected, "{status}");
    }
}

/// Two other coordinators roll back on such a body.
#[tokio::test]
async fn status_codes_decide_and_never_the_text_of_a_body() {
    for (status, body, expected) in [
        (500, r#"{"dtm_result":"FAILURE"}"#, "unknown"),
        (500, "SUCCESS", "unknown"),
        (200, "FAILURE", "success"),
        (200, "ONGOING", "success"),
        (409, "SUCCESS", "failure"),
        (202, "FAILURE", "ongoing"),
    ] {
        let participant = Participant::always(status, body).await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), expected, "{status} {body}");
    }
}

#[tokio::test]
async fn a_refusal_tells_what_the_participant_said() {
    let participant = Participant::always(409, "no stock").await;
    assert_eq!(
        reason(&outcome_of(&participant).await),
        "409 Conflict: no stock"
    );
    let participant = Participant::always(503, "busy").await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(reason(&outcome), "503 Service Unavailable: busy");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Participant::always(200, "").await;
    let location = target.url();
    let participant = Participant::answering(move |_| {
        let mut moved = answer(307, "");
        moved
            .headers_mut()
            .insert("location", location.parse().unwrap());
        std::future::ready(moved)
    })
    .await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert!(reason(&outcome).contains("redirects are not followed"));
    assert_eq!(target.notes.connections(), 0);
}

#[tokio::test]
async fn a_slow_answer_is_unknown_and_says_how_long_was_waited() {
    let participant = Participant::answering(|_| pending::<Response<Full<Bytes>>>()).await;
    let outcome = outcome_within(&participant, SHORT).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "no answer within 0.1 s");
}

#[tokio::test]
async fn a_refused_connection_is_unknown() {
    // Bound and dropped: nobody listens there.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let executor = Executor::new(ExecutorConfig::default());
    let outcome = made(&executor, call(&url)).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "connection refused");
}

#[tokio::test]
async fn a_name_that_is_not_resolved_is_unknown() {
    let executor = Executor::new(ExecutorConfig::default());
    // A label of more than 63 bytes is no name: the resolver says so without asking anybody.
    let url = format!("http://{}.invalid/", "x".repeat(64));
    let outcome = made(&executor, call(&url)).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "name not resolved");
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_unknown() {
    let participant = Participant::writing(&[]).await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "connection closed before an answer came");
}

#[tokio::test]
async fn a_reset_before_the_answer_is_unknown() {
    let participant = Participant::on_streams(|mut stream, notes| async move {
        note_head(&mut stream, &notes).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
    assert_eq!(reason(&outcome), "connection reset");
}

#[tokio::test]
async fn half_a_head_and_no_http_are_unknown() {
    for head in [
        &["HTTP/1.1 200 O"][..],
        &["HTTP/1.1 200 OK\r\ncontent-le"],
        &["220 mail.example ESMTP\r\n\r\n"],
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(head[0].as_bytes()).await.unwrap();
        })
        .await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), "unknown", "{head:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_unknown_and_is_not_read_for_ever() {
    let participant = Participant::on_streams(|mut stream, notes| async move {
        note_head(&mut stream, &notes).await;
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while sent.is_ok() {
            sent = stream.write_all(b"x-more: and more\r\n").await;
        }
    })
    .await;
    let outcome = outcome_of(&participant).await;
    assert_eq!(outcome.as_str(), "unknown");
}

#[tokio::test]
async fn once_a_status_came_a_body_that_breaks_off_changes_nothing() {
    for (answer, expected) in [
        (
            &["HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf"],
            "success",
        ),
        (
            &["HTTP/1.1 202 Accepted\r\ncontent-length: 99\r\n\r\nhalf"],
            "ongoing",
        ),
        (
            &["HTTP/1.1 409 Conflict\r\ncontent-length: 99\r\n\r\nhalf"],
            "failure",
        ),
        (
            &["HTTP/1.1 500 Oh\r\ncontent-length: 99\r\n\r\nhalf"],
            "unknown",
        ),
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(answer[0].as_bytes()).await.unwrap();
        })
        .await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), expected);
        assert!(
            outcome
                .reason()
                .is_none_or(|why| why.as_str().ends_with("half"))
        );
    }
}

#[tokio::test]
async fn once_a_status_came_a_body_that_takes_too_long_changes_nothing() {
    let outcome_of = async |head: &'static str| {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(head.as_bytes()).await.unwrap();
            pending::<()>().await;
        })
        .await;
        // Long enough for the head to come on a busy machine.
        outcome_within(&participant, Duration::from_secs(2)).await
    };
    let (success, failure, unknown) = tokio::join!(
        outcome_of("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"),
        outcome_of("HTTP/1.1 409 Conflict\r\ncontent-length: 9\r\n\r\n"),
        outcome_of("HTTP/1.1 503 Oh\r\ncontent-length: 9\r\n\r\n"),
    );
    assert_eq!(success.as_str(), "success");
    assert_eq!(failure.as_str(), "failure");
    assert_eq!(reason(&unknown), "503 Service Unavailable");
}

#[tokio::test]
async fn a_body_without_end_is_read_to_a_bound_and_its_status_decides() {
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "success"),
        ("HTTP/1.1 409 Conflict\r\n\r\n", "failure"),
        ("HTTP/1.1 500 Oh\r\n\r\n", "unknown"),
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(&[b'x'; 8192]).await;
            }
        })
        .await;
        let outcome = outcome_of(&participant).await;
        assert_eq!(outcome.as_str(), expected);
        assert!(reason(&outcome).len() <= Reason::BYTES_MAX);
    }
}
