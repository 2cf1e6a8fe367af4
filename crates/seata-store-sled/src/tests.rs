//! Behaviours that only show from within: when a batch is synced, what a failed one leaves, what is refused at open.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, ClaimLimit, Expected, Gid, LeaseChange, ListQuery, Mode, Owner,
    Revision, Status, StoreErrorKind, TxnStore, UnixMillis,
};

use crate::layout::{self, PIECE_BYTES};
use crate::sync::{Changes, SyncFile};
use crate::{OpenError, SledOptions, SledStore};

const LEASE: Duration = Duration::from_secs(60);
const ALL: ClaimLimit = ClaimLimit {
    count: 100,
    bytes: 1 << 20,
};

/// A sync that is never asked for fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

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

fn following(stored: &seata_store::Stored, chunk: Chunk, status: Status) -> Append {
    Append {
        status,
        wake_at: stored.header.wake_at.filter(|_| !status.is_final()),
        chunk,
        ..Append::to(&stored.header)
    }
}

/// Opens a folder. Answers the store, and how often it said that all is lost.
fn open_with(folder: &tempfile::TempDir, sync: SyncFile) -> (SledStore, Arc<AtomicUsize>) {
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let options = SledOptions {
        disk_free_min_bytes: 0,
        on_fatal: Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        }),
    };
    (
        SledStore::open_with(folder.path(), options, sync).unwrap(),
        told,
    )
}

fn open(folder: &tempfile::TempDir) -> (SledStore, Arc<AtomicUsize>) {
    open_with(folder, Box::new(File::sync_data))
}

fn refused(folder: &tempfile::TempDir) -> OpenError {
    let options = SledOptions {
        disk_free_min_bytes: 0,
        on_fatal: Box::new(|why| panic!("{why}")),
    };
    SledStore::open(folder.path(), options)
        .map(drop)
        .unwrap_err()
}

async fn applied(store: &SledStore, append: Append) -> seata_store::Stored {
    let name = append.gid.clone();
    let answer = store.append(vec![append]).await.remove(0).unwrap();
    assert!(matches!(answer, AppendOutcome::Applied(_)), "{answer:?}");
    store.load(&name).await.unwrap().unwrap()
}

#[tokio::test]
async fn each_batch_is_synced_once_and_what_writes_nothing_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let syncs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&syncs);
    let (store, _) = open_with(
        &folder,
        Box::new(move |file| {
            count.fetch_add(1, Ordering::SeqCst);
            file.sync_data()
        }),
    );
    let at = UnixMillis(1);
    for round in 0..20 {
        let before = syncs.load(Ordering::SeqCst);
        let names = (0..=round).map(|n| format!("g{round}-{n}"));
        let batch = names.map(|name| creation(&name, at)).collect();
        assert!(store.append(batch).await.iter().all(Result::is_ok));
        assert_eq!(syncs.load(Ordering::SeqCst), before + 1);
    }
    let before = syncs.load(Ordering::SeqCst);
    let again = store
        .append(vec![creation("g0-0", at)])
        .await
        .remove(0)
        .unwrap();
    assert!(matches!(again, AppendOutcome::Exists(_)));
    store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
    assert_eq!(syncs.load(Ordering::SeqCst), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_an_append_before_it_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let (entered, syncing) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let (entered, wait) = (Mutex::new(entered), Mutex::new(wait));
    let sync = move |file: &File| {
        entered.lock().unwrap().send(()).unwrap();
        wait.lock().unwrap().recv().map_err(io::Error::other)?;
        file.sync_data()
    };
    // For the batch that begins the start, and the first creation.
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    let (store, _) = open_with(&folder, Box::new(sync));
    let old = applied(&store, creation("old", UnixMillis(1))).await;
    syncing.recv_timeout(PATIENCE).unwrap();
    syncing.recv_timeout(PATIENCE).unwrap();

    let more = following(
        &old,
        Chunk::Add(Bytes::from_static(b"more")),
        Status::Submitted,
    );
    let batch = vec![creation("new", UnixMillis(1)), more];
    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.append(batch).await }
    });
    syncing.recv_timeout(PATIENCE).unwrap();
    assert_eq!(store.load(&gid("old")).await.unwrap().unwrap(), old);
    let page = store.list(&ListQuery::newest(10)).await.unwrap();
    assert_eq!(page.items, [old.header]);
    assert!(
        store
            .claim_due(Owner(1), LEASE, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.load(&gid("new")).await }
    });
    tokio::task::yield_now().await;
    assert!(!writing.is_finished() && !waiting.is_finished());
    go_on.send(()).unwrap();
    assert!(writing.await.unwrap().iter().all(Result::is_ok));
    assert!(waiting.await.unwrap().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_write_waits_for_the_disk_nothing_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let sync = move |file: &File| {
        wait.lock().unwrap().recv().map_err(io::Error::other)?;
        file.sync_data()
    };
    // For the batch that begins the start, and the first creation.
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    let (store, told) = open_with(&folder, Box::new(sync));
    applied(&store, creation("before", UnixMillis(1))).await;
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { applied(&store, creation("waits", UnixMillis(1))).await })
    };
    while store.ping().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let append = store.append(vec![creation("next", UnixMillis(1))]);
    let refused = [
        append.await.remove(0).err(),
        store.load(&gid("before")).await.err(),
        store.list(&ListQuery::newest(1)).await.err(),
        store.claim_due(Owner(1), LEASE, ALL).await.err(),
        store.purge(UnixMillis(1), 1).await.err(),
    ];
    for error in refused {
        assert_eq!(error.unwrap().kind, StoreErrorKind::Unavailable);
    }
    store.renew(&[], LEASE).await.unwrap();
    go_on.send(()).unwrap();
    go_on.send(()).unwrap();
    waiting.await.unwrap();
    store.ping().await.unwrap();
    applied(&store, creation("next", UnixMillis(1))).await;
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_failed_sync_is_told_once_and_nothing_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let calls = AtomicUsize::new(0);
    let sync = move |file: &File| match calls.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => file.sync_data(),
        _ => Err(io::Error::other("the disk is gone")),
    };
    let (store, told) = open_with(&folder, Box::new(sync));
    applied(&store, creation("before", UnixMillis(1))).await;
    let lost = store
        .append(vec![creation("lost", UnixMillis(1))])
        .await
        .remove(0);
    assert_eq!(lost.unwrap_err().kind, StoreErrorKind::Ambiguous);
    let unavailable = |kind| assert_eq!(kind, StoreErrorKind::Unavailable);
    let next = store
        .append(vec![creation("next", UnixMillis(1))])
        .await
        .remove(0);
    unavailable(next.unwrap_err().kind);
    unavailable(store.load(&gid("lost")).await.unwrap_err().kind);
    unavailable(store.ping().await.unwrap_err().kind);
    unavailable(store.renew(&[], LEASE).await.unwrap_err().kind);
    unavailable(
        store
            .claim_due(Owner(1), LEASE, ALL)
            .await
            .unwrap_err()
            .kind,
    );
    unavailable(store.purge(UnixMillis(9), 1).await.unwrap_err().kind);
    assert_eq!(told.load(Ordering::Relaxed), 1, "told once");
    assert!(store.load(&gid("before")).await.unwrap().is_some());
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
    }
    assert_eq!(told.load(Ordering::Relaxed), 1, "told once");
}

#[tokio::test]
async fn a_due_transaction_that_cannot_be_read_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    for (name, at) in [("good1", 1), ("rotten", 2), ("missing", 3), ("good2", 4)] {
        applied(&store, creation(name, UnixMillis(at))).await;
    }
    let db = &store.inner.disk.db;
    let key = |name| layout::piece_key(&gid(name), Revision(1), 0);
    db.insert(key("rotten"), vec![9; 200]).unwrap();
    db.remove(key("missing")).unwrap();
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
async fn what_sled_lost_in_silence_is_missed_at_open() {
    let lost: [fn(&SledStore); 3] = [
        // A whole record, its place in the list, and the newest append of another.
        |store| {
            drop(
                store
                    .inner
                    .disk
                    .db
                    .remove(layout::piece_key(&gid("g0"), Revision(1), 0)),
            )
        },
        |store| {
            drop(
                store
                    .inner
                    .disk
                    .db
                    .remove(layout::listed_key(UnixMillis(1), &gid("g1"))),
            )
        },
        |store| {
            drop(
                store
                    .inner
                    .disk
                    .db
                    .remove(layout::piece_key(&gid("g2"), Revision(2), 0)),
            )
        },
    ];
    for lose in lost {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(&folder);
        for n in 0..3 {
            let stored = applied(&store, creation(&format!("g{n}"), UnixMillis(1))).await;
            let end = Chunk::Add(Bytes::from_static(b"end"));
            applied(&store, following(&stored, end, Status::Committed)).await;
        }
        lose(&store);
        drop(store);
        let error = refused(&folder);
        assert!(matches!(error, OpenError::Broken { .. }), "{error}");
        assert!(
            error.to_string().contains("restore the data folder"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn what_was_written_ahead_in_vain_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let stored = applied(&store, creation("g", UnixMillis(1))).await;
    let mut changes = Changes::after(store.inner.disk.last_tally());
    for (name, revision) in [("g", 2), ("other", 1)] {
        for piece in 1..3 {
            let key = layout::piece_key(&gid(name), Revision(revision), piece);
            changes.insert(key, vec![7; 100]);
        }
    }
    store.inner.disk.write(changes).unwrap();
    assert_eq!(store.load(&gid("g")).await.unwrap().unwrap(), stored);
    drop(store);
    for _ in 0..2 {
        let (store, _) = open(&folder);
        assert!(store.load(&gid("other")).await.unwrap().is_none());
        let keys = store.inner.disk.db.iter().keys().count();
        assert_eq!(keys, 3, "the record, its place in the list, the tally");
    }
}

#[tokio::test]
async fn large_histories_come_back_and_no_page_leaves_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let text = |n: u8, length| Bytes::from(vec![n; length]);
    let mut one = creation("chunks", UnixMillis(1));
    one.chunk = Chunk::Add(text(0, 1));
    let mut stored = applied(&store, one).await;
    let mut expected = vec![0_u8];
    for n in 1..=100 {
        let chunk = text(n, 100_000 + usize::from(n));
        expected.extend_from_slice(&chunk);
        stored = applied(
            &store,
            following(&stored, Chunk::Add(chunk), Status::Submitted),
        )
        .await;
    }
    let mut huge = creation("huge", UnixMillis(1));
    huge.chunk = Chunk::Add(text(7, 10 << 20));
    let huge = applied(&store, huge).await;
    let swap = Chunk::Replace(text(8, PIECE_BYTES));
    let huge = applied(&store, following(&huge, swap, Status::Submitted)).await;
    assert_eq!(huge.chunks.concat(), text(8, PIECE_BYTES));
    drop(store);
    let (store, _) = open(&folder);
    let stored = store.load(&gid("chunks")).await.unwrap().unwrap();
    assert!(stored.chunks.concat() == expected);
    assert_eq!(
        store.load(&gid("huge")).await.unwrap().unwrap().chunks,
        huge.chunks
    );
    let blobs = folder.path().join("sled/blobs").read_dir().unwrap();
    assert_eq!(blobs.count(), 0, "these files are never synced");
}

/// The names of sled's snapshots: each tells of how far sled has read its log.
fn snapshots(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder.join("sled")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("snap.")).collect()
}

#[tokio::test]
async fn the_log_is_synced_before_sled_builds_on_it_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    drop(store);
    let before = snapshots(folder.path());
    let at_sync = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&at_sync);
    let path = folder.path().to_owned();
    let sync = move |file: &File| {
        seen.lock().unwrap().push(snapshots(&path));
        file.sync_data()
    };
    let (_store, _) = open_with(&folder, Box::new(sync));
    assert_ne!(snapshots(folder.path()), before, "sled wrote a new one");
    assert_eq!(at_sync.lock().unwrap()[0], before);
}

#[tokio::test]
async fn a_clock_that_was_set_back_before_a_restart_delays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let now = store.ping().await.unwrap();
    let tomorrow = now.plus(Duration::from_secs(86_400));
    let stored = applied(&store, creation("ended", tomorrow)).await;
    let end = Chunk::Add(Bytes::new());
    applied(&store, following(&stored, end, Status::Committed)).await;
    drop(store);
    let (store, _) = open(&folder);
    assert!(store.ping().await.unwrap() >= tomorrow);
}
