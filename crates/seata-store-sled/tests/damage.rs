//! Damaged and missing files: refused, or harmless. Never is an acknowledged append missing in a store that opens.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use seata_store::{Gid, Status, TxnStore};
use seata_store_sled::{OpenError, SledStore};
use support::{applied, copy, creation, following, gid, open};

/// How large a segment of the log is.
const SEGMENT_BYTES: u64 = 8 << 20;

type Acknowledged = BTreeMap<Gid, Vec<u8>>;

/// Writes some transactions; every other one ends.
async fn write(store: &SledStore, round: usize, acknowledged: &mut Acknowledged) {
    for n in 0..40 {
        let name = format!("g{round}-{n}");
        let text = format!("the text of {name};").repeat(5 + n);
        let stored = applied(store, creation(&name, text.into())).await;
        let status = [Status::Submitted, Status::Committed][n % 2];
        let stored = applied(store, following(&stored.header, "more".into(), status)).await;
        acknowledged.insert(gid(&name), stored.chunks.concat());
    }
}

/// A folder that was opened three times: the last two thirds lie behind sled's snapshots.
async fn written() -> (tempfile::TempDir, Acknowledged) {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for round in 0..3 {
        let store = open(folder.path()).unwrap();
        write(&store, round, &mut acknowledged).await;
    }
    (folder, acknowledged)
}

async fn all_are_there(store: &SledStore, acknowledged: &Acknowledged) -> bool {
    for (name, text) in acknowledged {
        match store.load(name).await {
            Ok(Some(stored)) if stored.chunks.concat() == *text => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}

fn log(folder: &Path) -> PathBuf {
    folder.join("sled/db")
}

/// Answers where the log was written to.
fn used(log: &Path) -> u64 {
    let bytes = fs::read(log).unwrap();
    u64::try_from(bytes.iter().rposition(|byte| *byte != 0).unwrap()).unwrap()
}

fn flip(file: &Path, at: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_the_log_is_refused_or_harmless() {
    let (folder, acknowledged) = written().await;
    let end = used(&log(folder.path()));
    let mut refused = 0;
    const FLIPS: u64 = 48;
    for n in 0..FLIPS {
        let damaged = tempfile::tempdir().unwrap();
        copy(folder.path(), damaged.path());
        flip(&log(damaged.path()), end * n / FLIPS + n % 7);
        match open(damaged.path()) {
            Ok(store) => {
                assert!(
                    all_are_there(&store, &acknowledged).await,
                    "byte {} of {end}",
                    end * n / FLIPS
                );
            }
            Err(error) => {
                refused += 1;
                assert!(
                    error.to_string().contains("restore the data folder"),
                    "{error}"
                );
            }
        }
    }
    assert!(
        refused > FLIPS / 4,
        "only {refused} of {FLIPS} were noticed"
    );
}

#[tokio::test]
async fn a_flipped_bit_in_an_old_segment_is_refused_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let store = open(folder.path()).unwrap();
    for n in 0..60_u8 {
        let name = format!("g{n}");
        let text = Bytes::from(vec![n; 150_000]);
        let stored = applied(&store, creation(&name, text)).await;
        acknowledged.insert(gid(&name), stored.chunks.concat());
    }
    drop(store);
    let end = used(&log(folder.path()));
    assert!(end > 2 * SEGMENT_BYTES, "{end}");
    let mut refused = 0;
    const FLIPS: u64 = 8;
    for n in 0..FLIPS {
        let damaged = tempfile::tempdir().unwrap();
        copy(folder.path(), damaged.path());
        let at = end * n / FLIPS + 30_011;
        flip(&log(damaged.path()), at);
        match open(damaged.path()) {
            Ok(store) => {
                assert!(
                    all_are_there(&store, &acknowledged).await,
                    "byte {at} of {end}"
                );
            }
            Err(error) => {
                refused += 1;
                assert!(
                    error.to_string().contains("restore the data folder"),
                    "{error}"
                );
            }
        }
    }
    assert!(refused > 0, "none of {FLIPS} was noticed");
}

#[tokio::test]
async fn a_log_that_was_cut_is_refused() {
    let (folder, _) = written().await;
    let end = used(&log(folder.path()));
    for left in [0, end / 2, end - end / 20, end - 5] {
        let damaged = tempfile::tempdir().unwrap();
        copy(folder.path(), damaged.path());
        let file = OpenOptions::new()
            .write(true)
            .open(log(damaged.path()))
            .unwrap();
        file.set_len(left).unwrap();
        let error = open(damaged.path()).map(drop).unwrap_err();
        assert!(
            error.to_string().contains("restore the data folder"),
            "{left}: {error}"
        );
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_last_batch_is_refused() {
    let (folder, _) = written().await;
    let end = used(&log(folder.path()));
    for before in [3, 20, 60] {
        let damaged = tempfile::tempdir().unwrap();
        copy(folder.path(), damaged.path());
        flip(&log(damaged.path()), end - before);
        let error = open(damaged.path()).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn missing_and_damaged_files_beside_the_log_are_refused_or_harmless() {
    let (folder, acknowledged) = written().await;
    let mut files = vec![folder.path().join("seata.batch"), log(folder.path())];
    for entry in fs::read_dir(folder.path().join("sled")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path != log(folder.path()) {
            files.push(path);
        }
    }
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let name = file.strip_prefix(folder.path()).unwrap();
        for flipped in [true, false] {
            let damaged = tempfile::tempdir().unwrap();
            copy(folder.path(), damaged.path());
            if flipped {
                flip(&damaged.path().join(name), 5);
            } else {
                fs::remove_file(damaged.path().join(name)).unwrap();
            }
            if let Ok(store) = open(damaged.path()) {
                assert!(
                    all_are_there(&store, &acknowledged).await,
                    "{}",
                    name.display()
                );
            } else {
                assert_ne!((name, flipped), (Path::new("sled/conf"), false));
            }
        }
    }
}

#[tokio::test]
async fn what_a_crash_leaves_of_a_batch_that_nobody_was_told_of_is_no_damage() {
    let (folder, acknowledged) = written().await;
    // A log that goes on behind the last batch, as if the next one had been cut.
    let end = used(&log(folder.path()));
    let file = OpenOptions::new()
        .write(true)
        .open(log(folder.path()))
        .unwrap();
    file.write_all_at(&[0xab; 300], end + 1).unwrap();
    let store = open(folder.path()).unwrap();
    assert!(all_are_there(&store, &acknowledged).await);
    applied(&store, creation("goes-on", Bytes::from_static(b"text"))).await;
}

/// A start was killed, or found the disk full, while sled wrote a snapshot.
#[tokio::test]
async fn a_snapshot_that_was_left_half_made_is_no_damage() {
    let (folder, acknowledged) = written().await;
    let sled = folder.path().join("sled");
    let names = fs::read_dir(&sled).unwrap();
    let snapshot = names
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("snap."))
        .unwrap();
    let whole = fs::read(snapshot).unwrap();
    let next = sled.join("snap.7FFFFFFFFFFFFFFF.generating");
    for length in [0, whole.len() / 2, whole.len() - 1] {
        fs::write(&next, &whole[..length]).unwrap();
        let store = open(folder.path()).unwrap();
        assert!(all_are_there(&store, &acknowledged).await);
        assert!(!next.exists());
    }
}
