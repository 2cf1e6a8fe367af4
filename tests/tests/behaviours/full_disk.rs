//! A disk that really fills up, on a small file system of its own: what was acknowledged stays, and the process says why
//! it ends. With a reserve it does not end at all.
//!
//! It needs the right to mount. Whoever may not is told so, and the tests are skipped.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use seata_tests::{Answer, Client, Participants, Saga, Setup, saga, skipped, until};
use serde_json::{Value, json};
use tempfile::TempDir;

const INITIATORS: usize = 8;
const HELD: usize = 12;
/// Some hundred transactions fill the disk.
const PAYLOAD_BYTES: usize = 20_000;
const LARGE_PAYLOAD_BYTES: usize = 60_000;
const NO_SPACE: &str = "No space left on device";

/// A file system in memory, gone with its owner.
struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one. None: this process may not, and this was printed.
    fn of_mebibytes(size: u32) -> Option<Self> {
        let folder = TempDir::with_prefix("seata-disk-").unwrap();
        let option = format!("size={size}m");
        let mounted = run("mount", &["-t", "tmpfs", "-o", &option, "tmpfs"], &folder);
        match mounted {
            Ok(()) => Some(Self { folder }),
            // Nobody expects it of a user without rights, not even where nothing may be skipped.
            Err(why) if !rustix::process::geteuid().is_root() => {
                eprintln!("skipped: a disk that fills up: {why}");
                None
            }
            Err(why) => {
                skipped(&format!("a disk that fills up: {why}"));
                None
            }
        }
    }

    fn grow_to_mebibytes(&self, size: u32) {
        let option = format!("remount,size={size}m");
        run("mount", &["-o", &option], &self.folder).unwrap();
    }

    /// Takes room that nothing the store does gives back.
    fn occupy_mebibytes(&self, size: usize) {
        fs::write(self.folder.path().join("occupied"), vec![0; size << 20]).unwrap();
    }

    fn setup(&self, store: &str, reserve_bytes: u64) -> Setup {
        let data = self.folder.path().join("data");
        Setup::new()
            .with("SEATA_STORE", store)
            .with("SEATA_DATA_DIR", data.display())
            .with("SEATA_DISK_FREE_MIN_BYTES", reserve_bytes)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(why) = run("umount", &["-l"], &self.folder) {
            eprintln!("{why}");
        }
    }
}

fn run(program: &str, arguments: &[&str], folder: &TempDir) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).arg(folder.path()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Initiators that go on until they are turned away or the server is gone.
struct Filling {
    acknowledged: Arc<Mutex<Vec<String>>>,
    refused: Arc<Mutex<Vec<Answer>>>,
    over: Arc<AtomicBool>,
    initiators: Vec<tokio::task::JoinHandle<()>>,
}

impl Filling {
    fn start(client: &Client, participants: &Arc<Participants>, payload_bytes: usize) -> Self {
        let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
        let refused: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let over = Arc::new(AtomicBool::new(false));
        let initiator = |number| {
            let (client, participants) = (client.another(), Arc::clone(participants));
            let (acknowledged, refused) = (Arc::clone(&acknowledged), Arc::clone(&refused));
            let over = Arc::clone(&over);
            tokio::spawn(async move {
                for round in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    let gid = format!("fill-{number}-{round}");
                    let whole = large(&gid, &participants, payload_bytes);
                    let whole = Value::from(whole);
                    let mut answer = client.try_post("/api/submit", &whole).await;
                    while answer.as_ref().is_ok_and(Answer::is_for_a_busy_store) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        answer = client.try_post("/api/submit", &whole).await;
                    }
                    match answer {
                        Ok(answer) if answer.status == 200 => {
                            acknowledged.lock().unwrap().push(gid);
                        }
                        Ok(answer) => return refused.lock().unwrap().push(answer),
                        // Whether it was done is not known: nobody was told.
                        Err(_) => return,
                    }
                }
            })
        };
        Self {
            initiators: (0..INITIATORS).map(initiator).collect(),
            acknowledged,
            refused,
            over,
        }
    }

    /// Answers what was acknowledged, and how the others were turned away.
    async fn finish(self) -> (Vec<String>, Vec<Answer>) {
        self.over.store(true, Ordering::SeqCst);
        for initiator in self.initiators {
            initiator.await.unwrap();
        }
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        let refused = self.refused.lock().unwrap().clone();
        (acknowledged, refused)
    }
}

fn large(gid: &str, participants: &Participants, payload_bytes: usize) -> Saga {
    saga(gid)
        .branch("one", participants.url("ok"), participants.url("ok"))
        .with_branch("payload", json!("x".repeat(payload_bytes)))
}

/// Brings transactions to where they stay open.
async fn hold(client: &Client, participants: &Participants) -> Vec<String> {
    let held: Vec<String> = (0..HELD).map(|number| format!("held-{number}")).collect();
    for gid in &held {
        let whole = saga(gid)
            .branch("one", participants.url("gate/late"), participants.url("ok"))
            .branch("two", participants.url("ok"), participants.url("ok"))
            .after(&["one"])
            .with("options", json!({ "request_timeout_secs": 600 }));
        client.submit(whole).await;
    }
    participants.arrived("late", HELD).await;
    held
}

async fn all_are_committed(client: &Client, participants: &Participants, gids: &[String]) {
    client.all_ended().await;
    for gid in gids {
        assert_eq!(client.tx(gid).await["status"], "COMMITTED", "{gid}");
        assert!(participants.ledger().remains(gid, "one"), "{gid}");
    }
}

/// How a disk is filled, and how the process then says so.
struct Case {
    store: &'static str,
    mebibytes: u32,
    payload_bytes: usize,
    /// One of these: what runs out of room first is a race.
    says: &'static [&'static str],
}

async fn a_full_disk_ends_the_process(case: Case) {
    let Some(disk) = Disk::of_mebibytes(case.mebibytes) else {
        return;
    };
    let mut server = disk.setup(case.store, 0).start().await;
    let client = server.client();
    let participants = Arc::new(Participants::start().await);
    let held = hold(&client, &participants).await;
    let filling = Filling::start(&client, &participants, case.payload_bytes);
    let status = server.ended().await;
    let (acknowledged, _) = filling.finish().await;
    assert_eq!(status.code(), Some(1));
    let said = fs::read_to_string(server.setup().folder().join("stderr.txt")).unwrap();
    let folder = disk.folder.path().to_str().unwrap();
    for part in ["the store failed", folder] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(case.says.iter().any(|part| said.contains(part)), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(acknowledged.len() > INITIATORS, "{}", acknowledged.len());
    eprintln!("{} were acknowledged; {said}", acknowledged.len());

    disk.grow_to_mebibytes(256);
    server.start_again().await;
    participants.open("late");
    all_are_committed(&client, &participants, &[held, acknowledged].concat()).await;
    let new = large("new", &participants, PAYLOAD_BYTES);
    assert_eq!(client.run(new).await["status"], "COMMITTED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_process_on_the_embedded_store_and_loses_nothing() {
    a_full_disk_ends_the_process(Case {
        store: "embedded",
        mebibytes: 8,
        payload_bytes: PAYLOAD_BYTES,
        says: &[NO_SPACE],
    })
    .await;
}

/// The log still has room, and what is moved from memory into a table has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_without_room_for_a_table_ends_the_process_and_loses_nothing() {
    a_full_disk_ends_the_process(Case {
        store: "embedded",
        mebibytes: 44,
        payload_bytes: LARGE_PAYLOAD_BYTES,
        says: &["a table could not be written (the disk has ", NO_SPACE],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_the_process_on_sled_and_loses_nothing() {
    a_full_disk_ends_the_process(Case {
        store: "sled",
        mebibytes: 8,
        payload_bytes: PAYLOAD_BYTES,
        says: &[NO_SPACE],
    })
    .await;
}

/// Submits one after the other until one is answered with this status and code. Answers those that were taken.
async fn submit_until(
    client: &Client,
    participants: &Participants,
    prefix: &str,
    (status, code): (u16, &str),
) -> Vec<String> {
    let mut taken = Vec::new();
    until(
        &format!("a submission is answered with {status}"),
        async || {
            let gid = format!("{prefix}-{}", taken.len());
            let whole = large(&gid, participants, PAYLOAD_BYTES);
            let answer = client.post("/api/submit", whole).await;
            if answer.status == 200 {
                taken.push(gid);
            }
            ((answer.status, answer.code()) == (status, code)).then_some(())
        },
    )
    .await;
    taken
}

/// The same disk with a reserve: nobody is told yes beyond it, and what is open has the rest to itself.
async fn a_reserve_keeps_the_disk_from_filling(store: &str) {
    // The room is looked at every other second: what a fast server writes meanwhile must fit into the reserve.
    const RESERVE_BYTES: u64 = 900 << 20;
    /// More than lies between the disk and its reserve, and far less than the reserve.
    const OCCUPIED_MEBIBYTES: usize = 200;
    let Some(disk) = Disk::of_mebibytes(1024) else {
        return;
    };
    let server = disk.setup(store, RESERVE_BYTES).start().await;
    let client = server.client();
    let participants = Arc::new(Participants::start().await);
    let held = hold(&client, &participants).await;
    let filling = Filling::start(&client, &participants, PAYLOAD_BYTES);
    until("each initiator was turned away", async || {
        (filling.refused.lock().unwrap().len() == INITIATORS).then_some(())
    })
    .await;
    let (acknowledged, refused) = filling.finish().await;
    for answer in refused {
        answer.refused(503, "STORE_FULL");
        assert!(!answer.header("retry-after").is_empty(), "{}", answer.text);
    }
    // What the store tidies up may bring it back above the reserve: from here on it can't.
    disk.occupy_mebibytes(OCCUPIED_MEBIBYTES);
    let early = submit_until(&client, &participants, "early", (503, "STORE_FULL")).await;
    participants.open("late");
    all_are_committed(
        &client,
        &participants,
        &[held, acknowledged, early].concat(),
    )
    .await;
    let new = client
        .post("/api/submit", large("new", &participants, PAYLOAD_BYTES))
        .await;
    new.refused(503, "STORE_FULL");
    disk.grow_to_mebibytes(2048);
    let late = submit_until(&client, &participants, "late", (200, "")).await;
    all_are_committed(&client, &participants, &late).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserve_keeps_the_disk_of_the_embedded_store_from_filling() {
    a_reserve_keeps_the_disk_from_filling("embedded").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reserve_keeps_the_disk_of_sled_from_filling() {
    a_reserve_keeps_the_disk_from_filling("sled").await;
}
