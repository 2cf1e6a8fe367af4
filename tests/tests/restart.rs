//! What stays and what goes on when the server stops, is killed, or finds its files damaged.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use seata_tests::{Client, Participants, Setup, journal, saga, scene, scene_with, until};
use serde_json::json;

/// Longer than any test has patience: whoever waited for a lease to end would be found out.
const LEASE_SECS: u32 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_lets_calls_end_and_calls_nothing_twice() {
    let setup = Setup::new()
        .with("SEATA_LEASE_SECS", LEASE_SECS)
        .with("SEATA_GRACE_SECS", 30);
    let (mut server, client, participants) = scene_with(setup).await;
    let participants = Arc::new(participants);
    let (done, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let initiators: Vec<_> = (0..16)
        .map(|number| {
            let (client, participants) = (client.another(), Arc::clone(&participants));
            let (done, count) = (Arc::clone(&done), Arc::clone(&count));
            tokio::spawn(async move {
                let mut round = 0;
                while !done.load(Ordering::SeqCst) {
                    let gid = format!("load-{number}-{round}");
                    submit_stubbornly(&client, &participants, &gid).await;
                    count.fetch_add(1, Ordering::SeqCst);
                    round += 1;
                }
            })
        })
        .collect();
    for stop in 1..=3 {
        until("more are acknowledged", async || {
            (count.load(Ordering::SeqCst) >= 100 * stop).then_some(())
        })
        .await;
        server.terminate();
        assert_eq!(server.ended().await.code(), Some(0));
        server.start_again().await;
    }
    done.store(true, Ordering::SeqCst);
    for initiator in initiators {
        initiator.await.unwrap();
    }
    client.all_ended().await;
    let ledger = participants.ledger();
    for gid in ledger.gids() {
        assert_eq!(client.tx(&gid).await["status"], "COMMITTED", "{gid}");
        let mut calls = ledger.calls(&gid);
        calls.sort();
        let events = client.get(&format!("/api/tx/{gid}/events")).await;
        assert_eq!(
            calls,
            ["one action", "two action"],
            "{gid}: {}",
            events.text
        );
    }
    assert!(ledger.gids().len() >= 300);
}

async fn submit_stubbornly(client: &Client, participants: &Participants, gid: &str) {
    let whole = saga(gid)
        .branch("one", participants.url("delay/20"), participants.url("ok"))
        .branch("two", participants.url("delay/40"), participants.url("ok"))
        .after(&["one"]);
    let whole = whole.into();
    loop {
        match client.try_post("/api/submit", &whole).await {
            Ok(answer) if answer.status == 200 => return,
            Ok(answer) => assert!(matches!(answer.status, 429 | 503), "{}", answer.text),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_call_that_outlives_the_grace_time_does_not_hold_the_exit() {
    let setup = Setup::new().with("SEATA_GRACE_SECS", 0.2);
    let (mut server, client, participants) = scene_with(setup).await;
    let whole = saga("slow")
        .branch(
            "one",
            participants.url("gate/never"),
            participants.url("ok"),
        )
        .with("options", json!({ "request_timeout_secs": 600 }));
    client.submit(whole).await;
    participants.arrived("never", 1).await;
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    server.start_again().await;
    participants.delivered("slow", "one", "action", 2).await;
    participants.open("never");
    client.reached("slow", "COMMITTED").await;
}

#[tokio::test]
async fn recovery_after_kill_nine_starts_at_once_and_in_parallel() {
    const OPEN: usize = 200;
    let setup = Setup::new().with("SEATA_LEASE_SECS", LEASE_SECS);
    let (mut server, client, participants) = scene_with(setup).await;
    for number in 0..OPEN {
        let whole = saga(&format!("open-{number}"))
            .branch("one", participants.url("gate/late"), participants.url("ok"))
            .with("options", json!({ "request_timeout_secs": 600 }));
        client.submit(whole).await;
    }
    participants.arrived("late", OPEN).await;
    server.kill_nine();
    server.start_again().await;
    // All are called again while none of them has been answered.
    for number in 0..OPEN {
        let gid = format!("open-{number}");
        participants.delivered(&gid, "one", "action", 2).await;
    }
    participants.open("late");
    client.all_ended().await;
    for number in 0..OPEN {
        let gid = format!("open-{number}");
        assert_eq!(client.tx(&gid).await["status"], "COMMITTED");
    }
}

#[tokio::test]
async fn a_second_process_on_the_folder_is_refused_and_the_first_goes_on() {
    let (server, client, participants) = scene().await;
    let refused = server.setup().refused().await;
    assert!(!refused.status.success());
    let folder = server.setup().data().to_string_lossy().into_owned();
    assert!(refused.output.contains("in use"), "{}", refused.output);
    assert!(refused.output.contains(&folder), "{}", refused.output);
    let whole = saga("still").branch("one", participants.url("ok"), participants.url("ok"));
    assert_eq!(client.run(whole).await["status"], "COMMITTED");
}

/// Leaves ended and open transactions in the files, and a server that was killed.
async fn fill(client: &Client, participants: &Participants) -> Vec<(String, &'static str)> {
    let mut left = Vec::new();
    for number in 0..20 {
        let ended = format!("ended-{number}");
        let whole = saga(&ended).branch("one", participants.url("ok"), participants.url("ok"));
        client.run(whole).await;
        left.push((ended, "COMMITTED"));
        let open = format!("open-{number}");
        let whole = saga(&open)
            .branch("one", participants.url("gate/late"), participants.url("ok"))
            .with("options", json!({ "request_timeout_secs": 600 }));
        client.submit(whole).await;
        left.push((open, "SUBMITTED"));
    }
    left
}

async fn tail_is_cut(tail: impl FnOnce(&[u8]) -> Vec<u8>) {
    let (mut server, client, participants) = scene().await;
    let left = fill(&client, &participants).await;
    server.kill_nine();
    let file = journal::newest(&server.setup().data());
    let mut bytes = fs::read(&file).unwrap();
    let end = journal::end(&bytes);
    let tail = tail(&bytes[..end]);
    bytes.resize(bytes.len().max(end + tail.len()), 0);
    bytes[end..end + tail.len()].copy_from_slice(&tail);
    fs::write(&file, bytes).unwrap();
    server.start_again().await;
    for (gid, status) in &left {
        assert_eq!(client.tx(gid).await["status"], *status, "{gid}");
    }
    participants.open("late");
    client.all_ended().await;
    // What is written behind the cut is there after another crash.
    server.kill_nine();
    server.start_again().await;
    for (gid, _) in &left {
        assert_eq!(client.tx(gid).await["status"], "COMMITTED", "{gid}");
    }
}

#[tokio::test]
async fn half_a_record_behind_the_last_acknowledged_one_is_cut_off_and_nothing_is_missing() {
    tail_is_cut(|data| data[..60].to_vec()).await;
}

#[tokio::test]
async fn garbage_behind_the_last_acknowledged_record_is_cut_off_and_nothing_is_missing() {
    tail_is_cut(|_| (0..999_u32).map(|at| (at * 37 % 251) as u8 + 1).collect()).await;
}

#[tokio::test]
async fn damage_in_the_middle_is_refused_by_name_and_nothing_is_changed() {
    let (mut server, client, participants) = scene().await;
    fill(&client, &participants).await;
    server.kill_nine();
    let file = journal::newest(&server.setup().data());
    let mut bytes = fs::read(&file).unwrap();
    let middle = journal::end(&bytes) / 2;
    for byte in &mut bytes[middle..middle + 32] {
        *byte ^= 0x55;
    }
    fs::write(&file, &bytes).unwrap();
    let refused = server.setup().refused().await;
    assert!(!refused.status.success());
    let name = file.to_string_lossy();
    assert!(refused.output.contains("damaged"), "{}", refused.output);
    assert!(refused.output.contains(&*name), "{}", refused.output);
    assert!(fs::read(&file).unwrap() == bytes, "the file was changed");
}
