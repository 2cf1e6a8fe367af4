//! The decision: there is one, and no way back.

use seata_tests::{Answer, Branch, Tcc, branch_of, kinds, scene};
use serde_json::{Value, json};

/// What one branch waits for before its next attempt, in seconds: longer than any test has patience.
const AGE_SECS: u32 = 3_600;

#[tokio::test]
async fn a_second_submit_while_a_confirm_is_pending_never_skips_the_confirm() {
    let (mut server, client, participants) = scene().await;
    for (gid, confirm, gate) in [
        ("held", "gate/pending", "pending"),
        ("broken", "first/1/503/busy/gate/again", "again"),
    ] {
        let tcc = Tcc::begin(&client, &participants, gid).await;
        tcc.tried(Branch::willing("one")).await;
        let held = Branch {
            confirm,
            ..Branch::willing("two")
        };
        tcc.tried(held).await;
        tcc.submit().await.ok();
        participants.arrived(gate, 1).await;
        for _ in 0..3 {
            let again = tcc.submit().await.ok();
            assert_eq!(again["transaction_status"], "SUBMITTED");
        }
        let wait = json!({ "gid": gid, "wait": 0.01 });
        let waited = client.post("/api/submit", wait).await;
        assert_eq!(waited.status, 202, "{}", waited.text);
        assert_eq!(waited.body["status"], "pending");
        let branch = branch_of(&waited.body["transaction"], "two").clone();
        assert_eq!(branch["status"], "CONFIRMING");
        assert!(!participants.ledger().done(gid, "two", "confirm"));
        server.kill_nine();
        server.start_again().await;
        tcc.submit().await.ok();
        participants.open(gate);
        tcc.reached("COMMITTED").await;
        tcc.is_all("confirm", &["one", "two"]);
        let kinds = kinds(&client, gid).await;
        let submissions = kinds.iter().filter(|kind| *kind == "submitted");
        assert_eq!(submissions.count(), 1, "{kinds:?}");
    }
}

#[tokio::test]
async fn the_deadline_cancels_what_nobody_decided() {
    let (_server, client, participants) = scene().await;
    let options = json!({ "timeout_to_fail_secs": 10 });
    let tcc = Tcc::begin_with(&client, &participants, "deadline", options).await;
    tcc.tried(Branch::willing("one")).await;
    tcc.registered(Branch::willing("two")).await;
    let tx = tcc.reached("ABORTED").await;
    assert!(tx["reason"].is_string(), "{tx}");
    tcc.is_all("cancel", &["one", "two"]);
    let late = tcc.submit().await;
    late.refused(409, "INVALID_STATUS_TRANSITION");
    assert_eq!(late.body["details"]["status"], "ABORTED");
}

#[tokio::test]
async fn what_was_decided_in_time_has_no_deadline() {
    const DEADLINE_SECS: u32 = 5;
    let (_server, client, participants) = scene().await;
    let options = json!({ "timeout_to_fail_secs": DEADLINE_SECS, "retry_interval_secs": 0.02, "retry_interval_max_secs": 0.05 });
    let tcc = Tcc::begin_with(&client, &participants, "decided", options).await;
    let slow = Branch {
        confirm: "gate/slow/first/9/503/busy",
        ..Branch::willing("one")
    };
    tcc.registered(slow).await;
    tcc.submit().await.ok();
    assert!(tcc.now().await["deadline"].is_null());
    participants.arrived("slow", 1).await;
    client.passed("clock", DEADLINE_SECS).await;
    participants.open("slow");
    tcc.reached("COMMITTED").await;
    tcc.is_all("confirm", &["one"]);
}

fn no_way(answer: &Answer, gid: &str, status: &str) {
    answer.refused(409, "INVALID_STATUS_TRANSITION");
    assert_eq!(answer.body["details"]["gid"], gid, "{}", answer.text);
    assert_eq!(answer.body["details"]["status"], status, "{}", answer.text);
}

#[tokio::test]
async fn after_the_decision_to_cancel_every_contrary_order_is_told_the_state() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "back").await;
    let held = Branch {
        cancel: "gate/held",
        ..Branch::willing("one")
    };
    tcc.tried(held).await;
    tcc.abort().await.ok();
    participants.arrived("held", 1).await;
    for status in ["ABORTING", "ABORTED"] {
        no_way(&tcc.submit().await, "back", status);
        let confirm = tcc.of_branch("confirm", "one", json!({})).await;
        no_way(&confirm, "back", status);
        let late = tcc.body(Branch::willing("late"));
        for path in ["/api/branch/register", "/api/branch/try"] {
            no_way(&client.post(path, late.clone()).await, "back", status);
        }
        for operation in ["confirm", "action", "compensation"] {
            let told = json!({ "operation": operation });
            let told = tcc.of_branch("succeed", "one", told).await;
            no_way(&told, "back", status);
        }
        assert_eq!(tcc.now().await["status"], status);
        tcc.abort().await.ok();
        participants.open("held");
        tcc.reached("ABORTED").await;
    }
    tcc.is_all("cancel", &["one"]);
    let calls = participants.ledger().calls("back");
    assert_eq!(calls, ["one try", "one cancel"]);
}

#[tokio::test]
async fn after_the_decision_to_confirm_every_contrary_order_is_told_the_state() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "forth").await;
    let held = Branch {
        confirm: "gate/held",
        ..Branch::willing("one")
    };
    tcc.tried(held).await;
    tcc.submit().await.ok();
    participants.arrived("held", 1).await;
    for status in ["SUBMITTED", "COMMITTED"] {
        no_way(&tcc.abort().await, "forth", status);
        let cancel = tcc.of_branch("cancel", "one", json!({})).await;
        no_way(&cancel, "forth", status);
        let late = tcc.body(Branch::willing("late"));
        for path in ["/api/branch/register", "/api/branch/try"] {
            no_way(&client.post(path, late.clone()).await, "forth", status);
        }
        for operation in ["cancel", "action", "compensation"] {
            let told = json!({ "operation": operation });
            let told = tcc.of_branch("fail", "one", told).await;
            no_way(&told, "forth", status);
        }
        assert_eq!(tcc.now().await["status"], status);
        tcc.submit().await.ok();
        participants.open("held");
        tcc.reached("COMMITTED").await;
    }
    tcc.is_all("confirm", &["one"]);
}

#[tokio::test]
async fn a_second_registration_with_other_content_is_a_conflict_and_with_the_same_is_not() {
    let (mut server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "twice").await;
    tcc.registered(Branch::willing("one")).await;
    tcc.tried(Branch::willing("two")).await;
    for life in 0..2 {
        let other = |id, path| {
            let body = tcc.body(Branch {
                cancel: "refuse",
                ..Branch::willing(id)
            });
            client.post(path, body)
        };
        for (id, path) in [
            ("one", "/api/branch/register"),
            ("one", "/api/branch/try"),
            ("two", "/api/branch/try"),
            ("two", "/api/branch/register"),
        ] {
            let answer: Answer = other(id, path).await;
            answer.refused(409, "BRANCH_CONFLICT");
            assert_eq!(answer.body["details"]["branch_id"], id);
        }
        // Who calls the try is content as well.
        let body: Value = tcc.body(Branch::willing("one"));
        let answer = client.post("/api/branch/try", body).await;
        answer.refused(409, "BRANCH_CONFLICT");
        tcc.registered(Branch::willing("one")).await;
        tcc.tried(Branch::willing("two")).await;
        if life == 0 {
            server.kill_nine();
            server.start_again().await;
        }
    }
    assert_eq!(participants.ledger().calls("twice"), ["two try"]);
}

#[tokio::test]
async fn a_submission_without_a_branch_is_refused() {
    let (_server, client, participants) = scene().await;
    let tcc = Tcc::begin(&client, &participants, "empty").await;
    let submitted = tcc.submit().await;
    submitted.refused(400, "INVALID_REQUEST");
    assert_eq!(submitted.body["details"]["status"], "PREPARED");
    tcc.abort().await.ok();
    tcc.reached("ABORTED").await;
}

#[tokio::test]
async fn a_confirm_or_cancel_of_one_branch_decides_for_all_and_then_hurries() {
    let (_server, client, participants) = scene().await;
    for (word, status, end) in [
        ("confirm", "SUBMITTED", "COMMITTED"),
        ("cancel", "ABORTING", "ABORTED"),
    ] {
        let options = json!({ "timeout_to_fail_secs": AGE_SECS, "retry_interval_secs": AGE_SECS, "retry_interval_max_secs": AGE_SECS });
        let tcc = Tcc::begin_with(&client, &participants, word, options).await;
        tcc.tried(Branch::willing("one")).await;
        let lame = "first/1/503/busy";
        let two = Branch {
            confirm: lame,
            cancel: lame,
            ..Branch::willing("two")
        };
        tcc.tried(two).await;
        let told = tcc.of_branch(word, "one", json!({})).await.ok();
        assert_eq!(told["transaction_status"], status);
        let done = if word == "confirm" {
            "CONFIRMED"
        } else {
            "CANCELLED"
        };
        tcc.branch_reached("one", done).await;
        participants.delivered(word, "two", word, 1).await;
        // Once more until the answer to the first attempt is in: to hurry a call on its way does nothing.
        seata_tests::until("it is hurried to its end", async || {
            tcc.of_branch(word, "two", json!({})).await.ok();
            (tcc.now().await["status"] == end).then_some(())
        })
        .await;
        tcc.is_all(word, &["one", "two"]);
        assert_eq!(participants.ledger().delivered(word, "two", word), 2);
        let kinds = kinds(&client, word).await;
        assert!(kinds.contains(&"hurried".to_owned()), "{kinds:?}");
    }
}

#[tokio::test]
async fn silence_after_the_decision_is_asked_again_and_never_turns_it() {
    let (_server, client, participants) = scene().await;
    for (word, end) in [("confirm", "COMMITTED"), ("cancel", "ABORTED")] {
        let gid = format!("silent-{word}");
        let tcc = Tcc::begin(&client, &participants, &gid).await;
        let silent = "first/8/503/busy";
        tcc.tried(Branch {
            confirm: silent,
            cancel: silent,
            ..Branch::willing("one")
        })
        .await;
        tcc.of_branch(word, "one", json!({})).await.ok();
        tcc.reached(end).await;
        tcc.is_all(word, &["one"]);
        assert_eq!(participants.ledger().delivered(&gid, "one", word), 9);
    }
}
