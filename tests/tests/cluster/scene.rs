//! What the scenarios share: sagas that one server drives and a gate holds.

use seata_tests::{Client, Participants, saga, until};
use serde_json::{Value, json};

/// Begins sagas by one server: a gate holds the first of their two branches. Answers their names.
pub(crate) async fn hold(
    name: &str,
    count: usize,
    client: &Client,
    participants: &Participants,
) -> Vec<String> {
    let gids: Vec<String> = (0..count)
        .map(|number| format!("{name}-{number}"))
        .collect();
    for gid in &gids {
        let whole = saga(gid)
            .branch(
                "one",
                participants.url(&format!("gate/{name}")),
                participants.url("ok"),
            )
            .branch("two", participants.url("ok"), participants.url("ok"))
            .after(&["one"])
            .with(
                "options",
                json!({ "request_timeout_secs": 60, "retry_interval_secs": 0.05 }),
            );
        let whole: Value = whole.into();
        // As an initiator does: a server that has just woken up may not be sure of its store yet.
        until(&format!("{gid} is taken"), async || {
            let answer = client.post("/api/submit", whole.clone()).await;
            assert!(
                matches!(answer.status, 200 | 429 | 503),
                "{gid}: {}",
                answer.text
            );
            (answer.status == 200).then_some(())
        })
        .await;
    }
    participants.arrived(name, count).await;
    gids
}
