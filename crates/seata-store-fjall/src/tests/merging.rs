//! Writes behind a worker that is busy: fjall has one for all that it writes out and merges.

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use fjall::AbstractTree;
use seata_store::ListQuery;

use super::beside::Done;
use super::moving::add;
use super::*;
use crate::open::Files;
use crate::settle;
use crate::write::synced;

/// Holds the worker up until it is called off.
fn hold_up(files: &Files) -> impl FnOnce() + use<> {
    let (hold, held) = mpsc::channel::<()>();
    let (off, called_off) = mpsc::channel::<()>();
    let table = files.open.clone();
    let holder = thread::spawn(move || {
        let _written_out = table.tree.get_flush_lock();
        table.insert("held", "up").unwrap();
        table.rotate_memtable().unwrap();
        hold.send(()).unwrap();
        // Also when the test fails.
        let _called_off = called_off.recv();
    });
    held.recv().unwrap();
    move || {
        drop(off);
        holder.join().unwrap();
    }
}

/// More questions than the queue of the worker has places.
const MANY: u32 = 2_000;

#[tokio::test]
async fn writes_behind_a_merge_that_lasts_do_not_stop_the_worker_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    let files = &store.inner.files;
    let call_off = hold_up(files);
    let large = vec![b'x'; 9 << 20];
    files.log.insert("large", large).unwrap();
    for n in 0..MANY {
        files.log.insert(n.to_le_bytes(), []).unwrap();
    }
    let done = Done::default();
    let writer = {
        let (inner, done) = (Arc::clone(&store.inner), Arc::clone(&done.0));
        thread::spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let mut batch = synced(&inner.files);
                batch.insert(&inner.files.log, "next", []);
                batch.commit().unwrap();
            }
        })
    };
    call_off();
    store.inner.settle().unwrap();
    let begun = Instant::now();
    while files.log.tree.sealed_memtable_count() > 0
        || files.log.tree.active_memtable().size() > 9 << 20
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is written out"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(done);
    writer.join().unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

/// Also if nobody appends any more.
#[tokio::test]
async fn what_grew_behind_a_merge_is_written_out_when_it_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let files = &store.inner.files;
    let call_off = hold_up(files);
    for _ in 0..2 {
        files.log.insert("large", vec![b'x'; 9 << 20]).unwrap();
        store.inner.settle().unwrap();
    }
    assert_eq!(files.log.tree.sealed_memtable_count(), 1);
    assert!(files.await_room());
    for n in 0..7_u8 {
        files.log.insert([n], vec![b'x'; 9 << 20]).unwrap();
    }
    assert!(!files.await_room(), "appends wait for the worker");
    call_off();
    let begun = Instant::now();
    while files.log.tree.active_memtable().size() > 9 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(60), "it stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_purge_does_not_wait_for_a_merge() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let later = store.ping().await.unwrap().plus(LEASE);
    applied(&store, creation("old", UnixMillis(1))).await;
    add(&store, "old", Status::Committed, " end").await;
    store.inner.settle().unwrap();
    applied(&store, creation("new", UnixMillis(1))).await;
    let call_off = hold_up(&store.inner.files);
    add(&store, "new", Status::Committed, " end").await;
    let active = store.inner.index().unsettled();
    for _ in 0..40 {
        let ended = active.iter().map(Arc::as_ref).collect();
        settle::write_ended(&store.inner.files.ended, ended).unwrap();
    }
    assert_eq!(store.purge(later, 10).await.unwrap(), 0);
    applied(&store, creation("next", UnixMillis(1))).await;
    call_off();
    let begun = Instant::now();
    let mut purged = 0;
    while purged < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing goes");
        purged += store.purge(later, 10).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn while_a_write_waits_for_the_disk_nothing_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    let (off, called_off) = mpsc::channel::<()>();
    let (hold, holds) = mpsc::channel();
    let inner = Arc::clone(&store.inner);
    let disk = thread::spawn(move || {
        let _writing = inner.writer("holding").unwrap();
        hold.send(()).unwrap();
        let _called_off = called_off.recv();
    });
    holds.recv().unwrap();
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { applied(&store, creation("waits", UnixMillis(1))).await })
    };
    while store.ping().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let append = store
        .append(vec![creation("next", UnixMillis(1))])
        .await
        .remove(0);
    let claim = store.claim_due(Owner(1), LEASE, ALL).await;
    let (load, list) = (
        store.load(&gid("g")).await,
        store.list(&ListQuery::newest(1)).await,
    );
    let purge = store.purge(UnixMillis(1), 1).await;
    let refused = [
        append.err(),
        load.err(),
        list.err(),
        claim.err(),
        purge.err(),
    ];
    for error in refused {
        assert_eq!(error.unwrap().kind, StoreErrorKind::Unavailable);
    }
    store.renew(&[], LEASE).await.unwrap();
    drop(off);
    disk.join().unwrap();
    waiting.await.unwrap();
    store.ping().await.unwrap();
    applied(&store, creation("next", UnixMillis(1))).await;
    assert_eq!(told.load(Ordering::Relaxed), 0);
}
