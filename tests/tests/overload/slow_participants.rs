//! Participants that take long, and others that don't.

use futures_util::future::join_all;
use seata_tests::{Client, Participants, Setup, scene_with, until};

use crate::{flood, is_later, one_branch};

/// Runs sagas on these participants from begin to end, one after the other.
async fn go_on(client: &Client, participants: &Participants, name: &str, count: usize) {
    for number in 0..count {
        let whole = one_branch(&format!("{name}-{number}"), participants.url("ok"));
        assert_eq!(client.run(whole).await["status"], "COMMITTED");
    }
}

/// Answers how many calls wait at the gates.
fn in_flight(slow: &[Participants]) -> usize {
    slow.iter().map(|one| one.at_gate("slow")).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_destinations_that_could_take_all_calls_leave_some_to_others() {
    const CALLS_MAX: usize = 64;
    let setup = Setup::new()
        .with("SEATA_CALLS_IN_FLIGHT_MAX", CALLS_MAX)
        .with("SEATA_CALLS_IN_FLIGHT_PER_DESTINATION", CALLS_MAX);
    let (_server, client, fast) = scene_with(setup).await;
    let slow = join_all((0..3).map(|_| Participants::start())).await;
    for (number, one) in slow.iter().enumerate() {
        let gids = (0..CALLS_MAX).map(|saga| format!("slow-{number}-{saga}"));
        let flooded = flood(&client, &one.url("gate/slow"), gids, 16).await;
        assert_eq!(flooded.accepted.len(), CALLS_MAX);
    }
    until("most calls are taken", async || {
        (in_flight(&slow) >= CALLS_MAX * 7 / 8).then_some(())
    })
    .await;
    go_on(&client, &fast, "fast", 20).await;
    assert!(in_flight(&slow) < CALLS_MAX);
    for one in &slow {
        one.open("slow");
    }
    client.all_ended().await;
    for (number, one) in slow.iter().enumerate() {
        for saga in 0..CALLS_MAX {
            let gid = format!("slow-{number}-{saga}");
            assert_eq!(one.ledger().delivered(&gid, "one", "action"), 1, "{gid}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_slow_participant_leaves_memory_to_the_rest() {
    let setup = Setup::new()
        .with("SEATA_ACTIVE_MAX", 200)
        .with("SEATA_CALLS_IN_FLIGHT_PER_DESTINATION", 8);
    let (_server, client, fast) = scene_with(setup).await;
    let slow = Participants::start().await;
    let gids = (0..400).map(|number| format!("slow-{number}"));
    let flooded = flood(&client, &slow.url("gate/slow"), gids, 16).await;
    assert!(flooded.accepted.len() > 80 && !flooded.turned_away.is_empty());
    let refused = client
        .post("/api/submit", one_branch("late", slow.url("ok")))
        .await;
    is_later(&refused);
    let text = refused.body["error"].as_str().unwrap();
    assert!(text.contains("queue of calls to a participant"), "{text}");
    go_on(&client, &fast, "fast", 40).await;
    slow.open("slow");
    flooded.ended_as_answered(&client, &slow).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_work_that_waits_for_a_slow_participant_after_a_restart_leaves_memory_to_requests() {
    let room = |setup: Setup, active_max: usize| setup.with("SEATA_ACTIVE_MAX", active_max);
    let (mut server, client, fast) = scene_with(room(Setup::new(), 1_000)).await;
    let slow = Participants::start().await;
    let gids = (0..400).map(|number| format!("slow-{number}"));
    let flooded = flood(&client, &slow.url("gate/slow"), gids, 16).await;
    assert!(flooded.turned_away.is_empty());
    server.kill_nine();
    let mut server = room(server.setup().clone(), 100).start().await;
    let client = server.client();
    until("as much is claimed as may be", async || {
        let metrics = client.get("/metrics").await.text;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("seata_active_transactions "))?;
        (line.parse::<f64>().unwrap() >= 60.0).then_some(())
    })
    .await;
    go_on(&client, &fast, "fast", 40).await;
    slow.open("slow");
    client.all_ended().await;
    server.terminate();
    server.ended().await;
}
