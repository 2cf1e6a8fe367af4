//! What only this store can test: a torn last line is cut, any other damage is refused, and a folder has one owner.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use seata_example_store::FileStore;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, Gid, LeaseChange, Mode, Status, StoreErrorKind,
    TxnStore, UnixMillis,
};

fn creation(name: &str) -> Append {
    Append {
        gid: Gid::parse(name).unwrap(),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(UnixMillis(1)),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from_static(b"what happened")),
        at: UnixMillis(1),
    }
}

/// Fills a folder with three transactions, one line each behind the first.
async fn fill(folder: &Path) -> Vec<u8> {
    let store = FileStore::open(folder).unwrap();
    for name in ["a", "b", "c"] {
        let answers = store.append(vec![creation(name)]).await;
        assert!(matches!(answers[..], [Ok(AppendOutcome::Applied(_))]));
    }
    fs::read(folder.join("log")).unwrap()
}

/// Opens a folder with this file, and answers which of the three are there.
async fn opened(log: &[u8]) -> Result<String, StoreErrorKind> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("log"), log).unwrap();
    let store = FileStore::open(folder.path()).map_err(|error| error.kind)?;
    let mut found = String::new();
    for name in ["a", "b", "c"] {
        let stored = store.load(&Gid::parse(name).unwrap()).await.unwrap();
        found += stored.map_or("", |_| name);
    }
    Ok(found)
}

#[tokio::test]
async fn a_last_line_that_was_torn_anywhere_is_cut_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let log = fill(folder.path()).await;
    let last = log[..log.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for end in last..log.len() - 1 {
        assert_eq!(
            opened(&log[..end]).await.as_deref(),
            Ok("ab"),
            "torn at {end}"
        );
    }
    assert_eq!(opened(&log).await.as_deref(), Ok("abc"));
}

#[tokio::test]
async fn a_flipped_bit_before_the_last_line_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = fill(folder.path()).await;
    let last = log[..log.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for at in 0..last {
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (at % 8);
        assert_eq!(
            opened(&damaged).await,
            Err(StoreErrorKind::Corrupt),
            "flipped at {at}"
        );
    }
    assert_eq!(opened(b"").await, Err(StoreErrorKind::Corrupt));
}

#[tokio::test]
async fn a_folder_that_is_open_is_refused_to_a_second_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(folder.path()).unwrap();
    let second = FileStore::open(folder.path()).map(drop);
    assert_eq!(second.unwrap_err().kind, StoreErrorKind::Invalid);
    drop(store);
    assert!(FileStore::open(folder.path()).is_ok());
}
