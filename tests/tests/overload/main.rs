//! What happens when more comes than fits: a clear answer, whoever needs little goes on, and nothing that was accepted is
//! lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod descriptors;
mod flood;
mod memory;
mod slow_participants;
mod slow_store;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use seata_tests::{Answer, Client, PATIENCE, Participants, Saga, saga};
use serde_json::{Value, json};

/// What became of many submissions.
#[derive(Default)]
struct Flooded {
    accepted: BTreeSet<String>,
    turned_away: BTreeSet<String>,
}

impl Flooded {
    /// Submits a saga of one branch.
    async fn submit(&mut self, client: &Client, gid: String, action: &str) {
        let whole = Value::from(one_branch(&gid, action.to_owned()));
        self.send(client, gid, whole.to_string().into()).await;
    }

    /// Sends a submission and files the answer, which is 200 or a refusal that says when to come back. Where the machine
    /// is so busy that the store is slow, the same is sent again.
    async fn send(&mut self, client: &Client, gid: String, whole: Bytes) {
        let begun = Instant::now();
        let mut answer = client.post_text("/api/submit", whole.clone()).await;
        let mut is_known = true;
        while answer.is_for_a_busy_store() && begun.elapsed() < PATIENCE {
            // Of what the store was asked nobody knows.
            is_known &= answer.status != 503;
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer = client.post_text("/api/submit", whole.clone()).await;
        }
        if answer.status == 200 {
            self.accepted.insert(gid);
            return;
        }
        is_later(&answer);
        if is_known {
            self.turned_away.insert(gid);
        }
    }

    fn add(&mut self, mut more: Self) {
        self.accepted.append(&mut more.accepted);
        self.turned_away.append(&mut more.turned_away);
    }

    /// Asserts that what was accepted has ended well and was done once, and that of the rest there is no trace.
    async fn ended_as_answered(&self, client: &Client, participants: &Participants) {
        client.all_ended().await;
        for gid in &self.accepted {
            assert_eq!(client.tx(gid).await["status"], "COMMITTED", "{gid}");
            let delivered = participants.ledger().delivered(gid, "one", "action");
            assert_eq!(delivered, 1, "{gid}");
        }
        let called = participants.ledger().gids();
        for gid in &self.turned_away {
            let answer = client.get(&format!("/api/tx/{gid}")).await;
            answer.refused(404, "TRANSACTION_NOT_FOUND");
            assert!(!called.contains(gid), "{gid}");
        }
    }
}

/// Asserts that an answer asks to come later.
#[track_caller]
fn is_later(answer: &Answer) {
    answer.refused(429, "OVERLOADED");
    let wait: u32 = answer.header("retry-after").parse().unwrap();
    assert!(wait >= 1);
}

/// Writes a saga with one branch, called `one`, whose call may take as long as it likes.
fn one_branch(gid: &str, action: String) -> Saga {
    saga(gid)
        .branch_without_compensation("one", action)
        .with("options", json!({ "request_timeout_secs": 600 }))
}

/// Submits sagas, so many at a time.
async fn flood(
    client: &Client,
    action: &str,
    gids: impl Iterator<Item = String>,
    at_once: usize,
) -> Flooded {
    stream::iter(gids)
        .map(async |gid| {
            let mut one = Flooded::default();
            one.submit(client, gid, action).await;
            one
        })
        .buffer_unordered(at_once)
        .fold(Flooded::default(), async |mut all, one| {
            all.add(one);
            all
        })
        .await
}

/// Asserts that somebody who comes now, on a connection of his own, finds the server in reach.
async fn is_in_reach(client: &Client) {
    assert_eq!(looked_after(client).await, [200; 2]);
}

/// Answers how somebody is answered who looks after the server, on connections of his own.
async fn looked_after(client: &Client) -> [u16; 2] {
    let health = client.another().get("/health").await.status;
    [health, client.another().get("/metrics").await.status]
}
