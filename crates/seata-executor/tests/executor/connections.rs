//! Connections are used again, and no request is delivered twice by one call.

use std::future::pending;
use std::time::Duration;

use seata_executor::{Executor, ExecutorConfig};
use tokio::io::AsyncWriteExt;

use crate::calls::{call, made, reason, within};
use crate::participant::{Participant, note_head};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A connection is back in the pool a moment after its answer was read, in a task of its own. These tests run on one
/// thread, where yielding lets that task run first.
async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again_whatever_was_answered() {
    for status in [200, 202, 409, 500] {
        let participant = Participant::always(status, "x".repeat(2_000)).await;
        let executor = Executor::new(ExecutorConfig::default());
        for _ in 0..5 {
            made(&executor, call(&participant.url())).await;
            settle().await;
        }
        assert_eq!(participant.notes.received().len(), 5);
        assert_eq!(participant.notes.connections(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_costs_the_connection_but_not_the_next_call() {
    let participant = Participant::always(200, "x".repeat(1_000_000)).await;
    let executor = Executor::new(ExecutorConfig::default());
    for _ in 0..3 {
        let outcome = made(&executor, call(&participant.url())).await;
        assert_eq!(outcome.as_str(), "success");
        settle().await;
    }
    assert_eq!(participant.notes.connections(), 3);
}

#[tokio::test]
async fn a_request_that_was_written_on_a_used_connection_is_not_sent_again() {
    // Answers once per connection, then takes the next request and hangs up.
    let participant = Participant::writing(&[OK]).await;
    let executor = Executor::new(ExecutorConfig::default());
    let first = made(&executor, call(&participant.url())).await;
    assert_eq!(first.as_str(), "success");
    settle().await;
    let second = made(&executor, call(&participant.url())).await;
    assert_eq!(second.as_str(), "unknown", "{}", reason(&second));
    assert_eq!(participant.notes.connections(), 1);
    assert_eq!(participant.notes.received().len(), 2, "delivered once each");
}

#[tokio::test]
async fn connections_that_were_closed_while_idle_cost_no_call() {
    let participant = Participant::on_streams(|mut stream, notes| async move {
        note_head(&mut stream, &notes).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
        // Closed without a word, right after the answer: in one packet train with it.
    })
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    for n in 1..=20 {
        let outcome = made(&executor, call(&participant.url())).await;
        assert_eq!(outcome.as_str(), "success", "{}", reason(&outcome));
        // Until the caller has seen the end of this connection.
        settle().await;
        assert_eq!(participant.notes.received().len(), n);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_closes_its_connection() {
    let (closed, mut seen) = tokio::sync::mpsc::channel(1);
    let participant = Participant::on_streams(move |mut stream, notes| {
        let closed = closed.clone();
        async move {
            note_head(&mut stream, &notes).await;
            // Ends with the connection: nothing more is sent on it.
            note_head(&mut stream, &notes).await;
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    let outcome = made(
        &executor,
        within(&participant.url(), Duration::from_millis(100)),
    )
    .await;
    assert_eq!(outcome.as_str(), "unknown");
    seen.recv().await.unwrap();
    assert_eq!(participant.notes.received().len(), 1);
}

#[tokio::test]
async fn many_calls_at_once_share_one_client() {
    let participant = Participant::always(200, "ok").await;
    let executor = std::sync::Arc::new(Executor::new(ExecutorConfig::default()));
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let (executor, url) = (std::sync::Arc::clone(&executor), participant.url());
            tokio::spawn(async move { made(&executor, call(&url)).await })
        })
        .collect();
    for outcome in calls {
        assert_eq!(outcome.await.unwrap().as_str(), "success");
    }
    assert_eq!(participant.notes.received().len(), 200);
}

#[tokio::test]
async fn a_participant_that_never_accepts_a_byte_is_unknown_in_time() {
    let participant = Participant::on_streams(|stream, _| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    let large = within(&participant.url(), Duration::from_millis(100));
    let large = crate::calls::Changed::with_branch(large, |branch| {
        branch.payload = Some(crate::calls::json(&"x".repeat(16 << 20)));
    });
    let outcome = made(&executor, large).await;
    assert_eq!(reason(&outcome), "no answer within 0.1 s");
}
