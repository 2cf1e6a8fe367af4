//! Memory has its bounds, whatever comes.

use futures_util::{StreamExt, stream};
use seata_tests::{Setup, scene_with};
use serde_json::json;

use crate::{Flooded, one_branch};

const MIB: u64 = 1 << 20;

/// Answers the most memory that a process ever had resident, in bytes.
fn resident_bytes_max(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_large_payloads_is_held_within_the_bounds_on_bytes() {
    const AT_ONCE: usize = 32;
    const SAGAS: usize = 800;
    let active_bytes_max = 64 * MIB;
    let setup = Setup::new().with("SEATA_ACTIVE_BYTES_MAX", active_bytes_max);
    let (server, client, participants) = scene_with(setup).await;
    let before = resident_bytes_max(server.pid());
    let payload = "x".repeat(1_000_000);
    let answers: Vec<_> = stream::iter(0..SAGAS)
        .map(|number| {
            let gid = format!("large-{number}");
            let whole = one_branch(&gid, participants.url("gate/large"));
            let whole = whole.with("payload", json!(payload));
            let client = &client;
            async move { (client.post("/api/submit", whole).await, gid) }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut flooded = Flooded::default();
    for (answer, gid) in answers {
        flooded.note(gid, &answer);
    }
    assert!(!flooded.accepted.is_empty());
    assert!(flooded.turned_away.len() > SAGAS / 2);
    // What is active, once more on its way to the store, and in the store's tables; and what is on its way here.
    let on_their_way = AT_ONCE as u64 * 4 * MIB;
    let grown = resident_bytes_max(server.pid()) - before;
    let bound = 3 * active_bytes_max + on_their_way;
    assert!(grown <= bound, "{} of {} MiB", grown / MIB, bound / MIB);
    participants.open("large");
    flooded.ended_as_answered(&client, &participants).await;
}
