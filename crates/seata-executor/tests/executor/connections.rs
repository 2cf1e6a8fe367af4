//! Connections are used again, and no request is delivered twice by one call.

use std::future::pending;
use std::time::Duration;

use seata_executor::{Executor, ExecutorConfig};
use tokio::io::AsyncWriteExt;

use crate::calls::{call, made, reason, within};
use crate::participant::{Participant, note_head};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Lets the runtime see what has come meanwhile. These tests run on one thread, where yielding lets all others run first.
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
        // Long enough for the request to arrive.
        within(&participant.url(), Duration::from_secs(2)),
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

#[tokio::test]
async fn a_body_in_chunks_leaves_its_connection_for_the_next_call() {
    let participant = Participant::writing(&[
        "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno \r\n5;x=y\r\nstock\r\n0\r\n\r\n",
        "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\nx-sum: 7\r\nx-more: 8\r\n\r\n",
        OK,
    ])
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    for expected in ["409 Conflict: no stock", "409 Conflict: no", ""] {
        let outcome = made(&executor, call(&participant.url())).await;
        assert_eq!(reason(&outcome), expected);
    }
    assert_eq!(participant.notes.connections(), 1);
}

#[tokio::test]
async fn chunks_that_are_none_cost_the_connection_and_change_no_outcome() {
    for broken in [
        "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\nx\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno room\r\n0\r\n\r\n",
        "HTTP/1.1 409 Conflict\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nno",
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(broken.as_bytes()).await.unwrap();
            // Ends when the caller hangs up.
            note_head(&mut stream, &notes).await;
        })
        .await;
        let executor = Executor::new(ExecutorConfig::default());
        for n in 1..=2 {
            let outcome = made(&executor, call(&participant.url())).await;
            assert_eq!(outcome.as_str(), "failure", "{broken}");
            assert_eq!(participant.notes.connections(), n, "{broken}");
        }
    }
}

#[tokio::test]
async fn heads_on_the_way_to_the_answer_are_stepped_over() {
    let participant = Participant::writing(&[
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\nno",
        OK,
    ])
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    let refused = made(&executor, call(&participant.url())).await;
    assert_eq!(reason(&refused), "409 Conflict: no");
    let taken = made(&executor, call(&participant.url())).await;
    assert_eq!(taken.as_str(), "success");
    assert_eq!(participant.notes.connections(), 1);
}

/// Else a branch that was refused could count as done.
#[tokio::test]
async fn what_comes_behind_an_answer_is_never_the_next_ones() {
    for unasked in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\r\n",
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(unasked.as_bytes()).await.unwrap();
            pending::<()>().await;
        })
        .await;
        let executor = Executor::new(ExecutorConfig::default());
        for n in 1..=3 {
            let outcome = made(&executor, call(&participant.url())).await;
            assert_eq!(outcome.as_str(), "success", "{unasked}");
            assert_eq!(participant.notes.connections(), n, "{unasked}");
        }
    }
}

#[tokio::test]
async fn what_comes_while_nobody_asks_costs_the_connection() {
    let (say, mut said) = tokio::sync::mpsc::channel(1);
    let participant = Participant::on_streams(move |mut stream, notes| {
        let say = say.clone();
        async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            settle().await;
            let refusal = b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
            say.send(()).await.unwrap();
            pending::<()>().await;
        }
    })
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    for n in 1..=3 {
        let outcome = made(&executor, call(&participant.url())).await;
        assert_eq!(outcome.as_str(), "success");
        assert_eq!(participant.notes.connections(), n);
        said.recv().await.unwrap();
        settle().await;
    }
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        let participant = Participant::on_streams(move |mut stream, notes| async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            // Closed by whoever asked.
            note_head(&mut stream, &notes).await;
        })
        .await;
        let executor = Executor::new(ExecutorConfig::default());
        for n in 1..=2 {
            let outcome = made(&executor, call(&participant.url())).await;
            assert_eq!(outcome.as_str(), "success", "{answer}");
            assert_eq!(participant.notes.connections(), n, "{answer}");
        }
    }
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_not_taken_whole_stands() {
    let participant = Participant::on_streams(|mut stream, notes| async move {
        note_head(&mut stream, &notes).await;
        let refusal = b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 2\r\n\r\nno";
        stream.write_all(refusal).await.unwrap();
        pending::<()>().await;
        drop(stream);
    })
    .await;
    let executor = Executor::new(ExecutorConfig::default());
    let large = crate::calls::Changed::with_branch(call(&participant.url()), |branch| {
        branch.payload = Some(crate::calls::json(&"x".repeat(16 << 20)));
    });
    for n in 1..=2 {
        let outcome = made(&executor, large.clone()).await;
        assert_eq!(reason(&outcome), "413 Payload Too Large: no");
        assert_eq!(participant.notes.connections(), n);
    }
}

#[tokio::test]
async fn a_large_payload_arrives_whole() {
    let participant = Participant::always(200, "").await;
    let executor = Executor::new(ExecutorConfig::default());
    for bytes in [0, 1, 16 * 1024, 16 * 1024 + 1, 3 << 20] {
        let payload = "x".repeat(bytes);
        let sent = crate::calls::Changed::with_branch(call(&participant.url()), |branch| {
            branch.payload = Some(crate::calls::json(&payload));
        });
        assert_eq!(made(&executor, sent).await.as_str(), "success");
        let received = participant.notes.received().pop().unwrap();
        assert_eq!(received.body.len(), bytes);
        assert_eq!(received.headers["content-length"], bytes.to_string());
    }
    assert_eq!(participant.notes.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_nobody_comes_back_for_is_closed() {
    let (closed, mut seen) = tokio::sync::mpsc::channel(2);
    let participant = Participant::on_streams(move |mut stream, notes| {
        let closed = closed.clone();
        async move {
            note_head(&mut stream, &notes).await;
            stream.write_all(OK.as_bytes()).await.unwrap();
            // Ends with the connection: nothing more is sent on it.
            note_head(&mut stream, &notes).await;
            closed.send(()).await.unwrap();
        }
    })
    .await;
    let executor = Executor::new(ExecutorConfig {
        pool_idle_timeout: Duration::from_millis(50),
        ..ExecutorConfig::default()
    });
    for n in 1..=2 {
        made(&executor, call(&participant.url())).await;
        seen.recv().await.unwrap();
        assert_eq!(participant.notes.connections(), n);
    }
}
