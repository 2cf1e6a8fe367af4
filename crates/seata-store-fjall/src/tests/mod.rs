//! Behaviours that only show from within: what another writer, another reader or a rotten block leaves behind.
#![allow(clippy::unwrap_used, reason = "tests")]

mod beside;
mod claiming;
mod killed;
mod merging;
mod moving;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, Gid, LeaseChange, Mode, Owner, Revision,
    Status, StoreErrorKind, TxnStore, UnixMillis,
};

use crate::{FjallOptions, FjallStore, layout};

const LEASE: Duration = Duration::from_secs(60);
const ALL: ClaimLimit = ClaimLimit {
    count: 100,
    bytes: 1 << 20,
};

fn gid(name: &str) -> Gid {
    Gid::parse(name).unwrap()
}

fn creation(name: &str, at: UnixMillis) -> Append {
    Append {
        gid: gid(name),
        mode: Mode::Saga,
        expected: Expected::Absent,
        status: Status::Submitted,
        wake_at: Some(at),
        lease: LeaseChange::Keep,
        chunk: Chunk::Add(Bytes::from_static(b"text")),
        at,
    }
}

/// Opens a folder. Answers the store, and how often it said that all is lost.
fn open(folder: &tempfile::TempDir) -> (FjallStore, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let options = FjallOptions::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    (FjallStore::open(folder.path(), options).unwrap(), told)
}

async fn applied(store: &FjallStore, append: Append) {
    let answer = store.append(vec![append]).await.remove(0).unwrap();
    assert!(matches!(answer, AppendOutcome::Applied(_)), "{answer:?}");
}

#[tokio::test]
async fn after_a_write_that_panicked_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    applied(&store, creation("before", UnixMillis(1))).await;
    let inner = Arc::clone(&store.inner);
    let panicked = std::thread::spawn(move || {
        let _writing = inner.writer("panicking").unwrap();
        panic!("in the middle of a write");
    });
    assert!(panicked.join().is_err());
    for _ in 0..2 {
        let next = creation("next", UnixMillis(1));
        let error = store.append(vec![next]).await.remove(0).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        assert!(store.purge(UnixMillis(9), 1).await.is_err());
    }
    assert_eq!(told.load(Ordering::Relaxed), 1, "told once");
    assert!(store.load(&gid("before")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_due_transaction_that_cannot_be_read_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    for (name, at) in [("good1", 1), ("rotten", 2), ("missing", 3), ("good2", 4)] {
        applied(&store, creation(name, UnixMillis(at))).await;
    }
    store.inner.settle().unwrap();
    let open = &store.inner.files.open;
    let key = |name| layout::open_key(&gid(name), Revision(1));
    open.insert(key("rotten"), [9; 200]).unwrap();
    open.remove(key("missing")).unwrap();
    let claimed = store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
    let names: Vec<_> = claimed.iter().map(|one| one.header.gid.as_str()).collect();
    assert_eq!(names, ["good1", "good2"]);
    for name in ["rotten", "missing"] {
        let error = store.load(&gid(name)).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{name}");
    }
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_clock_that_was_set_back_before_a_restart_delays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let tomorrow = store
        .ping()
        .await
        .unwrap()
        .plus(Duration::from_secs(86_400));
    applied(&store, creation("g", tomorrow)).await;
    drop(store);
    let (store, _) = open(&folder);
    assert!(store.ping().await.unwrap() >= tomorrow);
    assert_eq!(
        store.claim_due(Owner(1), LEASE, ALL).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_record_with_a_part_missing_is_refused_at_open() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    store.inner.settle().unwrap();
    let mut header = store.load(&gid("g")).await.unwrap().unwrap().header;
    for _ in 0..2 {
        let mut next = creation("g", UnixMillis(1));
        next.expected = Expected::At {
            revision: header.revision,
            token: header.token,
        };
        applied(&store, next).await;
        header.revision = header.revision.next();
        store.inner.settle().unwrap();
    }
    let key = layout::open_key(&gid("g"), Revision(2));
    store.inner.files.open.remove(key).unwrap();
    drop(store);
    let options = FjallOptions::new(|why| panic!("{why}"));
    let error = FjallStore::open(folder.path(), options)
        .map(drop)
        .unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

/// What an earlier version left: nothing counts its starts, and its claims raised tokens by one.
#[tokio::test]
async fn a_folder_from_before_starts_were_counted_opens_and_gives_out_no_old_token() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    let claimed = store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
    let old = claimed[0].header.token;
    store.inner.files.ended.remove(layout::STARTS).unwrap();
    drop(store);
    let mut last = old;
    for _ in 0..2 {
        let (store, _) = open(&folder);
        let claimed = store.claim_due(Owner(2), LEASE, ALL).await.unwrap();
        let token = claimed[0].header.token;
        // An old start may have raised it by itself, and by claims.
        assert!(token.0 > last.0 + 1_000, "{token:?} after {last:?}");
        last = token;
    }
}
