//! Memory has its bounds, whatever comes.

use futures_util::{StreamExt, stream};
use seata_tests::{Setup, scene_with};
use serde_json::Value;

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
    const AT_ONCE: usize = 8;
    const SAGAS: usize = 400;
    let active_bytes_max = 64 * MIB;
    let setup = Setup::new().with("SEATA_ACTIVE_BYTES_MAX", active_bytes_max);
    let (server, client, participants) = scene_with(setup).await;
    let before = resident_bytes_max(server.pid());
    let payload = "x".repeat(1_000_000);
    let action = participants.url("gate/large");
    let flooded = stream::iter(0..SAGAS)
        .map(async |number| {
            let gid = format!("large-{number}");
            let whole = Value::from(one_branch(&gid, action.clone())).to_string();
            let whole = whole.replacen('{', &format!("{{\"payload\":\"{payload}\","), 1);
            let mut one = Flooded::default();
            one.send(&client, gid, whole.into()).await;
            one
        })
        .buffer_unordered(AT_ONCE)
        .fold(Flooded::default(), async |mut all, one| {
            all.add(one);
            all
        })
        .await;
    assert!(!flooded.accepted.is_empty());
    assert!(flooded.turned_away.len() > SAGAS / 2);
    eprintln!("accepted {}", flooded.accepted.len());
    // What is active, once more on its way to the store, and in the store's tables; what the embedded store's log has alone
    // (appends wait at four times 8 MiB), and once more while it is moved; and what is on its way here.
    let unmoved = 2 * 4 * 8 * MIB;
    let on_their_way = AT_ONCE as u64 * 4 * MIB;
    let grown = resident_bytes_max(server.pid()) - before;
    eprintln!("grown {} MiB", grown / MIB);
    let bound = 3 * active_bytes_max + unmoved + on_their_way;
    assert!(grown <= bound, "{} of {} MiB", grown / MIB, bound / MIB);
    participants.open("large");
    flooded.ended_as_answered(&client, &participants).await;
}
