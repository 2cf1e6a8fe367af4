//! What happens when more comes than fits: a clear answer, whoever needs little goes on, and nothing that was accepted is
//! lost.
#![allow(clippy::unwrap_used, reason = "tests")]

mod descriptors;
mod flood;
mod memory;
mod slow_participants;
mod slow_store;

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use seata_tests::{Answer, Client, Participants, saga};
use serde_json::json;

/// What became of many submissions, each of which was sent once.
#[derive(Default)]
struct Flooded {
    accepted: BTreeSet<String>,
    turned_away: BTreeSet<String>,
}

impl Flooded {
    /// Files an answer, which is 200 or a refusal that says when to come back.
    #[track_caller]
    fn note(&mut self, gid: String, answer: &Answer) {
        if answer.status == 200 {
            self.accepted.insert(gid);
        } else {
            is_later(answer);
            self.turned_away.insert(gid);
        }
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
fn one_branch(gid: &str, action: String) -> seata_tests::Saga {
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
    let answers: Vec<_> = stream::iter(gids)
        .map(|gid| async {
            let whole = one_branch(&gid, action.to_owned());
            (client.post("/api/submit", whole).await, gid)
        })
        .buffer_unordered(at_once)
        .collect()
        .await;
    let mut flooded = Flooded::default();
    for (answer, gid) in answers {
        flooded.note(gid, &answer);
    }
    flooded
}

/// Asserts that somebody who comes now, on a connection of his own, finds the server in reach.
async fn is_in_reach(client: &Client) {
    assert_eq!(client.another().get("/health").await.status, 200);
    assert_eq!(client.another().get("/metrics").await.status, 200);
}
