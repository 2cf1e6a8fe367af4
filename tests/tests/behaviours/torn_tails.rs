//! Logs whose end is not what was written, on both stores in a folder: behind what was acknowledged it is cut off, and
//! where what was acknowledged may be missing the start is refused by name, or that one batch is known to be the last
//! (PEERS 19). The bytes themselves are tested beside each adapter.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use seata_tests::{Load, Participants, Server, Setup, journal, saga, scene_with};

const INITIATORS: usize = 8;
const BETWEEN: usize = 40;

/// The file that a store writes to at its end.
fn log(store: &str, server: &Server) -> PathBuf {
    let data = server.setup().data();
    match store {
        "sled" => data.join("sled/db"),
        _ => journal::newest(&data),
    }
}

/// How many zeros what is written may end with, such as the high bytes of a number. A record of the embedded store ends
/// with a mark.
fn zeros_of_its_own_max(store: &str) -> usize {
    match store {
        "sled" => 32,
        _ => 0,
    }
}

/// Writes behind the end of what was written.
fn write_behind(log: &Path, gap: usize, tail: &[u8]) {
    let mut bytes = fs::read(log).unwrap();
    let end = journal::end(&bytes) + gap;
    bytes.resize(bytes.len().max(end + tail.len()), 0);
    bytes[end..end + tail.len()].copy_from_slice(tail);
    fs::write(log, bytes).unwrap();
}

/// Makes a tail of what was written.
type Tail = fn(&[u8]) -> Vec<u8>;

/// What a write that a crash broke off may leave: something, or the beginning of what looks like an older one.
async fn what_is_behind_the_end_is_cut_off_under_load(store: &str) {
    let participants = Arc::new(Participants::start().await);
    let mut server = Setup::new().with("SEATA_STORE", store).start().await;
    let client = server.client();
    let load = Load::start("torn", INITIATORS, &client, &participants);
    let tails: [Tail; 3] = [
        |_| (0..999_u32).map(|at| (at * 37 % 251) as u8 + 1).collect(),
        |written| written[..60].to_vec(),
        // Less than a whole batch, which would be known as one that was acknowledged.
        |written| written[written.len() / 2..][..40].to_vec(),
    ];
    for tail in tails {
        load.more(BETWEEN).await;
        server.kill_nine();
        let log = log(store, &server);
        let written = fs::read(&log).unwrap();
        let gap = zeros_of_its_own_max(store);
        write_behind(&log, gap, &tail(&written[..journal::end(&written)]));
        server.start_again().await;
    }
    load.more(BETWEEN).await;
    // What was written behind the last cut is there after another crash.
    server.kill_nine();
    server.start_again().await;
    let tally = load.finish().await;
    tally.ended_right(&client, &participants).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_behind_the_end_of_the_embedded_log_is_cut_off_under_load() {
    what_is_behind_the_end_is_cut_off_under_load("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_behind_the_end_of_sleds_log_is_cut_off_under_load() {
    what_is_behind_the_end_is_cut_off_under_load("sled").await;
}

/// Takes the last bytes away, or alters them.
type Strike = fn(&mut Vec<u8>, usize);

const STRIKES: [Strike; 3] = [
    |bytes, end| bytes.truncate(end - 5),
    |bytes, end| bytes[end - 5..end].fill(0),
    |bytes, end| bytes[end - 20] ^= 0x10,
];

/// Leaves one transaction after another, each in batches of its own, and a server that was killed.
async fn killed(store: &str) -> (Server, Participants) {
    let setup = Setup::new().with("SEATA_STORE", store);
    let (mut server, client, participants) = scene_with(setup).await;
    for number in 0..10 {
        let gid = format!("g{number}");
        let whole = saga(&gid).branch("one", participants.url("ok"), participants.url("ok"));
        assert_eq!(client.run(whole).await["status"], "COMMITTED");
    }
    server.kill_nine();
    (server, participants)
}

/// sled's file beside the log says how far it must go.
#[tokio::test]
async fn a_cut_into_what_sled_acknowledged_is_refused_and_the_log_put_back_is_not() {
    let (mut server, _participants) = killed("sled").await;
    let whole = server.setup().data();
    let kept = server.setup().folder().join("kept");
    copy(&whole, &kept);
    for strike in STRIKES {
        let log = log("sled", &server);
        let mut bytes = fs::read(&log).unwrap();
        let end = journal::end(&bytes);
        strike(&mut bytes, end);
        fs::write(&log, &bytes).unwrap();
        let refused = server.setup().refused().await;
        assert!(!refused.status.success());
        for said in [
            "restore the data folder from a backup",
            log.to_str().unwrap(),
        ] {
            assert!(refused.output.contains(said), "{}", refused.output);
        }
        fs::remove_dir_all(&whole).unwrap();
        copy(&kept, &whole);
    }
    server.start_again().await;
    for number in 0..10 {
        let tx = server.client().tx(&format!("g{number}")).await;
        assert_eq!(tx["status"], "COMMITTED");
    }
}

/// The embedded store can't tell its last batch from one that a crash broke off: that batch is what is lost, whole, and
/// what it held goes on from the one before. Nothing ever cuts there by itself: a batch is synced before it is told.
#[tokio::test]
async fn a_cut_into_the_last_batch_of_the_embedded_log_costs_that_batch_alone() {
    for strike in STRIKES {
        let (mut server, participants) = killed("embedded").await;
        let log = log("embedded", &server);
        let mut bytes = fs::read(&log).unwrap();
        let end = journal::end(&bytes);
        strike(&mut bytes, end);
        fs::write(&log, &bytes).unwrap();
        server.start_again().await;
        let client = server.client();
        client.all_ended().await;
        for number in 0..10 {
            let gid = format!("g{number}");
            assert_eq!(client.tx(&gid).await["status"], "COMMITTED", "{gid}");
            let calls = participants.ledger().calls(&gid);
            match number {
                9 => assert_eq!(calls, ["one action", "one action"]),
                _ => assert_eq!(calls, ["one action"], "{gid}"),
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
