//! A confirm or a cancel that is refused: an end state with a reason, and an operator's way out.

use seata_tests::{Answer, Branch, Client, Participants, Tcc, branch_of, kinds, scene};
use serde_json::{Value, json};

/// One side of a decision, as it is told.
struct Side {
    word: &'static str,
    done: &'static str,
    end: &'static str,
    /// What `force` calls it.
    to: &'static str,
    /// What `force` calls the other one.
    contrary: &'static str,
}

const SIDES: [Side; 2] = [
    Side {
        word: "confirm",
        done: "CONFIRMED",
        end: "COMMITTED",
        to: "committed",
        contrary: "aborted",
    },
    Side {
        word: "cancel",
        done: "CANCELLED",
        end: "ABORTED",
        to: "aborted",
        contrary: "committed",
    },
];

/// Brings a TCC to where the operation of branch two that was decided is refused by these steps.
async fn stick<'a>(
    client: &'a Client,
    participants: &'a Participants,
    side: &Side,
    steps: &str,
) -> Tcc<'a> {
    let tcc = Tcc::begin(client, participants, side.word).await;
    tcc.tried(Branch::willing("one")).await;
    tcc.tried(Branch {
        confirm: steps,
        cancel: steps,
        ..Branch::willing("two")
    })
    .await;
    tcc.tried(Branch::willing("three")).await;
    tcc.of_branch(side.word, "three", json!({})).await.ok();
    tcc.reached("STUCK").await;
    tcc
}

async fn order(client: &Client, tcc: &Tcc<'_>, order: &str, body: Value) -> Answer {
    client
        .post(&format!("/api/tx/{}/{order}", tcc.gid), body)
        .await
}

#[tokio::test]
async fn a_refused_confirm_or_cancel_is_stuck_with_a_reason_and_never_changes_sides() {
    for side in &SIDES {
        let (mut server, client, participants) = scene().await;
        let tcc = stick(&client, &participants, side, "say/409/closed").await;
        let told = format!(
            "a transaction is STUCK: a person must decide gid={}",
            tcc.gid
        );
        server.printed(&told).await;
        for life in 0..2 {
            let tx = tcc.now().await;
            assert_eq!(tx["status"], "STUCK");
            let attention = tx["attention"].as_str().unwrap();
            assert!(attention.contains("two"), "{attention}");
            let waits = tx["waiting_for"].as_str().unwrap();
            assert!(waits.contains("operator"), "{waits}");
            let refused = &branch_of(&tx, "two")["operations"];
            assert!(refused.to_string().contains("closed"), "{refused}");
            // All else has run on.
            for id in ["one", "three"] {
                assert_eq!(branch_of(&tx, id)["status"], side.done);
            }
            let contrary = if side.word == "confirm" {
                [
                    tcc.abort().await,
                    tcc.of_branch("cancel", "two", json!({})).await,
                ]
            } else {
                [
                    tcc.submit().await,
                    tcc.of_branch("confirm", "two", json!({})).await,
                ]
            };
            for answer in contrary {
                answer.refused(409, "INVALID_STATUS_TRANSITION");
                assert_eq!(answer.body["details"]["status"], "STUCK");
            }
            if life == 0 {
                server.kill_nine();
                server.start_again().await;
            }
        }
        assert_eq!(
            participants.ledger().delivered(side.word, "two", side.word),
            1
        );
        tcc.is_all(side.word, &["one", "three"]);
    }
}

#[tokio::test]
async fn an_operator_retries_the_refused_one_and_it_ends_by_itself() {
    let (_server, client, participants) = scene().await;
    for side in &SIDES {
        let tcc = stick(&client, &participants, side, "first/1/409/closed").await;
        let retry = json!({ "reason": "account reopened" });
        order(&client, &tcc, "retry", retry).await.ok();
        let tx = tcc.reached(side.end).await;
        assert!(tx["forced"].is_null(), "{tx}");
        tcc.is_all(side.word, &["one", "two", "three"]);
        assert!(
            kinds(&client, side.word)
                .await
                .contains(&"retried".to_owned())
        );
    }
}

#[tokio::test]
async fn an_operator_skips_the_refused_one_and_it_is_told_for_ever() {
    let (_server, client, participants) = scene().await;
    for side in &SIDES {
        let tcc = stick(&client, &participants, side, "refuse").await;
        let skip = json!({ "branch_id": "two", "reason": "written off" });
        order(&client, &tcc, "skip", skip).await.ok();
        let tx = tcc.reached(side.end).await;
        assert!(tx["forced"].as_str().unwrap().contains("written off"));
        assert_eq!(branch_of(&tx, "two")["status"], side.done);
        tcc.is_all(side.word, &["one", "three"]);
    }
}

#[tokio::test]
async fn an_operator_forces_the_end_only_to_the_side_that_was_decided() {
    let (_server, client, participants) = scene().await;
    for side in &SIDES {
        let tcc = stick(&client, &participants, side, "refuse").await;
        let wrong = json!({ "to": side.contrary, "reason": "why not" });
        let answer = order(&client, &tcc, "force", wrong).await;
        answer.refused(409, "INVALID_STATUS_TRANSITION");
        let right = json!({ "to": side.to, "reason": "settled by phone" });
        order(&client, &tcc, "force", right).await.ok();
        let tx = tcc.reached(side.end).await;
        assert!(tx["forced"].as_str().unwrap().contains("settled by phone"));
        tcc.is_all(side.word, &["one", "three"]);
        assert!(
            kinds(&client, side.word)
                .await
                .contains(&"forced".to_owned())
        );
    }
}
