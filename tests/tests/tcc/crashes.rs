//! The server is killed, or asked to stop, in the middle of each phase.

use seata_tests::{Branch, Setup, Tcc, scene, scene_with};
use serde_json::json;

/// Longer than any test has patience: nobody could mistake the end of a span for the end of a wait.
const AGE_SECS: u32 = 3_600;

const HELD_TRY: Branch<'static> = Branch {
    id: "two",
    try_: "gate/held",
    confirm: "ok",
    cancel: "ok",
};

#[tokio::test]
async fn killed_in_the_middle_of_a_try_it_is_in_doubt_until_it_is_tried_again() {
    let (mut server, client, participants) = scene().await;
    // The confirm waits for the limit of the call whose answer was lost, as a cancel does.
    let options = json!({ "timeout_to_fail_secs": AGE_SECS, "request_timeout_secs": 5 });
    let tcc = Tcc::begin_with(&client, &participants, "again", options).await;
    tcc.tried(Branch::willing("one")).await;
    let asked = tcc.at_gate(HELD_TRY, "held").await;
    server.kill_nine();
    assert!(asked.await.unwrap().is_none());
    server.start_again().await;
    let submitted = tcc.submit().await;
    submitted.refused(409, "INVALID_STATUS_TRANSITION");
    assert_eq!(submitted.body["details"]["branch_id"], "two");
    participants.open("held");
    tcc.tried(HELD_TRY).await;
    tcc.submit().await.ok();
    tcc.reached("COMMITTED").await;
    tcc.is_all("confirm", &["one", "two"]);
}

#[tokio::test]
async fn killed_in_the_middle_of_a_try_an_abort_cancels_all_and_the_late_try_finds_it() {
    let (mut server, client, participants) = scene().await;
    let options = json!({ "timeout_to_fail_secs": AGE_SECS, "request_timeout_secs": 5 });
    let tcc = Tcc::begin_with(&client, &participants, "aborted", options).await;
    tcc.tried(Branch::willing("one")).await;
    let asked = tcc.at_gate(HELD_TRY, "held").await;
    server.kill_nine();
    assert!(asked.await.unwrap().is_none());
    server.start_again().await;
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
    participants.open("held");
    participants.quiet().await;
    tcc.is_all("cancel", &["one", "two"]);
    assert!(!participants.ledger().done("aborted", "two", "try"));
}

#[tokio::test]
async fn killed_in_the_middle_of_a_try_and_left_alone_it_is_cancelled_at_its_deadline() {
    let (mut server, client, participants) = scene().await;
    let options = json!({ "timeout_to_fail_secs": 15, "request_timeout_secs": 5 });
    let tcc = Tcc::begin_with(&client, &participants, "alone", options).await;
    tcc.at_gate(HELD_TRY, "held").await;
    server.kill_nine();
    server.start_again().await;
    tcc.reached("ABORTED").await;
    participants.open("held");
    participants.quiet().await;
    tcc.is_all("cancel", &["two"]);
}

#[tokio::test]
async fn killed_in_the_middle_of_confirms_or_cancels_it_ends_on_the_same_side() {
    let setup = Setup::new().with("SEATA_LEASE_SECS", AGE_SECS);
    let (mut server, client, participants) = scene_with(setup).await;
    for (word, end) in [("confirm", "COMMITTED"), ("cancel", "ABORTED")] {
        let tcc = Tcc::begin(&client, &participants, word).await;
        let gate = format!("gate/{word}");
        tcc.tried(Branch::willing("one")).await;
        for id in ["two", "three"] {
            tcc.tried(Branch {
                confirm: &gate,
                cancel: &gate,
                ..Branch::willing(id)
            })
            .await;
        }
        tcc.of_branch(word, "one", json!({})).await.ok();
        for id in ["one", "two", "three"] {
            participants.delivered(word, id, word, 1).await;
        }
        server.kill_nine();
        server.start_again().await;
        for id in ["two", "three"] {
            participants.delivered(word, id, word, 2).await;
        }
        participants.open(word);
        tcc.reached(end).await;
        participants.quiet().await;
        tcc.is_all(word, &["one", "two", "three"]);
    }
}

#[tokio::test]
async fn sigterm_lets_the_try_on_its_way_end_and_its_result_is_kept() {
    let setup = Setup::new()
        .with("SEATA_GRACE_SECS", AGE_SECS)
        .with("SEATA_LEASE_SECS", AGE_SECS)
        .with("SEATA_LOG", "info");
    let (mut server, client, participants) = scene_with(setup).await;
    let tcc = Tcc::begin(&client, &participants, "stopped").await;
    let asked = tcc.at_gate(HELD_TRY, "held").await;
    server.terminate();
    server.printed("stopping").await;
    participants.open("held");
    let answer = asked.await.unwrap();
    assert_eq!(server.ended().await.code(), Some(0));
    server.start_again().await;
    assert_eq!(tcc.status_of("two").await, "TRIED");
    if let Some(answer) = answer {
        // Known already, or not known yet: never a refusal.
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
    }
    tcc.tried(HELD_TRY).await;
    tcc.submit().await.ok();
    tcc.reached("COMMITTED").await;
    let calls = participants.ledger().calls("stopped");
    assert_eq!(calls, ["two try", "two confirm"]);
}
