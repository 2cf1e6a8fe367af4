//! Other processes: killed in the middle of their appends, refused at a folder in use, and ended by a disk that fails.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use seata_store::{AppendOutcome, ClaimLimit, Owner, Status, StoreError, TxnStore, UnixMillis};

use super::{InFolder, Refused, applied, creation, following, open, record};
use crate::fixture::gid;

const FOLDER: &str = "STORE_TEST_FOLDER";
const ROUND: &str = "STORE_TEST_ROUND";

const LEASE: Duration = Duration::from_secs(60);
const ALL: ClaimLimit = ClaimLimit {
    count: 100,
    bytes: 1 << 20,
};

const fn owner() -> Owner {
    Owner(1)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// Starts one of these tests by itself, as the other process. Without the folder in its environment it does nothing.
fn start(test: &str, folder: &Path, round: usize) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new("sh")
        // A write beyond the limit must fail, not end the process.
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let answers = BufReader::new(child.stdout.take().unwrap());
    (child, answers)
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").unwrap();
    out.flush().unwrap();
}

/// Answers what the other process said, as far as it came.
fn said(answers: &mut impl BufRead) -> impl Iterator<Item = String> {
    answers
        .lines()
        .map_while(Result::ok)
        .filter(|line| line.starts_with("said "))
}

/// The other process: appends for ever, and says what was acknowledged: `said <gid> <revision>`.
pub fn child_appends_until_killed<F: InFolder>() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let round = std::env::var(ROUND).unwrap();
    let store = open::<F>(Path::new(&folder)).unwrap();
    runtime().block_on(async {
        for batch in 0.. {
            let names: Vec<String> = (0..8).map(|n| format!("r{round}-{batch}-{n}")).collect();
            let create = |name| creation(name, Bytes::from(format!("1 of {name};")));
            let created = names.iter().map(|name| create(name)).collect();
            acknowledge(&store, created, 1).await;
            let mut second = Vec::new();
            for (n, name) in names.iter().enumerate() {
                let header = store.load(&gid(name)).await.unwrap().unwrap().header;
                let status = [Status::Submitted, Status::Committed][n % 2];
                second.push(following(&header, format!("2 of {name};").into(), status));
            }
            acknowledge(&store, second, 2).await;
        }
    });
}

async fn acknowledge(store: &dyn TxnStore, batch: Vec<seata_store::Append>, revision: u64) {
    let names: Vec<_> = batch.iter().map(|append| append.gid.clone()).collect();
    for (name, answer) in names.into_iter().zip(store.append(batch).await) {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
        say(&format!("said {name} {revision}"));
    }
}

/// Whatever the other process said that it was acknowledged is there after its kill, whole and in order.
pub fn every_acknowledged_append_survives_kill_9<F: InFolder>() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..4 {
        let (mut child, mut answers) = start("child_appends_until_killed", folder.path(), round);
        let before = acknowledged.len();
        let mut note = |line: String| {
            let mut words = line.split(' ').skip(1);
            let name = words.next().unwrap().to_owned();
            // The kill may have cut the line.
            if let Some(revision) = words.next().and_then(|word| word.parse().ok()) {
                acknowledged.insert(name, revision);
            }
        };
        said(&mut answers).take(60 + 17 * round).for_each(&mut note);
        child.kill().unwrap();
        child.wait().unwrap();
        said(&mut answers).for_each(&mut note);
        assert!(acknowledged.len() > before);
        let store = open::<F>(folder.path()).unwrap();
        for (name, revision) in &acknowledged {
            let found = runtime().block_on(record(&store, &gid(name))).unwrap();
            let (header, history) = found.unwrap_or_else(|| panic!("{name} is gone"));
            assert!(header.revision.0 >= *revision, "{name}");
            let parts: Vec<String> = (1..=header.revision.0)
                .map(|part| format!("{part} of {name};"))
                .collect();
            assert_eq!(history, parts.concat(), "{name}");
        }
    }
}

/// The other process: opens a folder and says how that went.
pub fn child_opens<F: InFolder>() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    match open::<F>(Path::new(&folder)) {
        Ok(_) => say("said opened"),
        Err(error) => say(&format!("said {}", error.text())),
    }
}

/// A file is no folder, and stays what it is.
pub fn a_file_where_the_folder_should_be_is_refused_and_left_as_it_is<F: InFolder>() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "mine").unwrap();
    let error = open::<F>(&file).map(drop).unwrap_err();
    assert!(matches!(error, Refused::NotAFolder(_)), "{error:?}");
    assert!(error.text().contains("is not a folder"), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

/// A folder has one store at a time.
pub fn a_folder_in_use_is_refused_within_the_process_and_by_another<F: InFolder>() {
    let folder = tempfile::tempdir().unwrap();
    let store = open::<F>(folder.path()).unwrap();
    let error = open::<F>(folder.path()).map(drop).unwrap_err();
    assert!(matches!(error, Refused::InUse(_)), "{error:?}");
    let answer = || {
        let (mut child, mut answers) = start("child_opens", folder.path(), 0);
        let answer = said(&mut answers).next().unwrap();
        child.wait().unwrap();
        answer
    };
    let refused = answer();
    assert!(refused.contains("in use by another process"), "{refused}");
    let one = creation("g", Bytes::from_static(b"still mine"));
    runtime().block_on(applied(&store, one));
    drop(store);
    assert_eq!(answer(), "said opened");
}

/// The other process: its disk fails in the middle of its appends. Says what it saw.
pub fn child_writes_to_a_failing_disk<F: InFolder>() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = F::open(Path::new(&folder), |_| say("said fatal")).unwrap();
    runtime().block_on(async {
        let kept = applied(&store, creation("kept", Bytes::from_static(b"kept"))).await;
        let ended = following(&kept.header, Bytes::new(), Status::Committed);
        applied(&store, ended).await;
        applied(&store, creation("open", Bytes::from_static(b"open"))).await;
        // From here on no file grows.
        let limit = rustix::process::Rlimit {
            current: Some(0),
            maximum: None,
        };
        rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
        if std::env::var(ROUND).unwrap() == "0" {
            let lost = creation("lost", Bytes::from_static(b"lost"));
            say_kind("append", store.append(vec![lost]).await.remove(0));
        } else {
            say_kind("purge", store.purge(UnixMillis(i64::MAX), 10).await);
        }
        let next = creation("next", Bytes::from_static(b"next"));
        say_kind("next", store.append(vec![next]).await.remove(0));
        say_kind("claim", store.claim_due(owner(), LEASE, ALL).await);
        say_kind("renew", store.renew(&[], LEASE).await);
        say_kind("ping", store.ping().await);
    });
}

fn say_kind<T>(what: &str, answer: Result<T, StoreError>) {
    let kind = answer.map_or_else(|error| error.kind.as_str(), |_| "fine");
    say(&format!("said {what} {kind}"));
}

/// After a write that failed nothing is asked of the disk again, and what was acknowledged is there at the next start.
pub fn a_failed_write_is_told_once_and_nothing_is_tried_again<F: InFolder>() {
    for (round, asked) in ["append", "purge"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let (mut child, mut answers) =
            start("child_writes_to_a_failing_disk", folder.path(), round);
        let seen: Vec<String> = said(&mut answers).collect();
        child.wait().unwrap();
        let expected = [
            "said fatal",
            &format!("said {asked} ambiguous"),
            "said next unavailable",
            "said claim unavailable",
            "said renew unavailable",
            "said ping unavailable",
        ];
        assert_eq!(seen, expected);
        let store = open::<F>(folder.path()).unwrap();
        for (name, history) in [("kept", "kept"), ("open", "open")] {
            let found = runtime().block_on(record(&store, &gid(name))).unwrap();
            assert_eq!(found.unwrap().1, history);
        }
        let next = runtime().block_on(record(&store, &gid("next"))).unwrap();
        assert_eq!(next, None);
    }
}
