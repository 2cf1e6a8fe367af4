//! Moves while others read and append.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use seata_store::{ListQuery, PAGE_MAX};

use super::moving::{add, filled, follow};
use super::*;
use crate::index::Known;
use crate::{list, log, settle};

/// Dropped, also by a test that fails, it ends what goes on beside it.
#[derive(Default)]
pub(super) struct Done(pub(super) Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Moves all the time, and as often as appends are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_find_all_that_was_acknowledged_while_it_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (store, told) = open(&folder);
    let done = Done::default();
    let moving = {
        let (inner, done) = (Arc::clone(&store.inner), Arc::clone(&done.0));
        tokio::task::spawn_blocking(move || {
            while !done.load(Ordering::Relaxed) {
                inner.settle().unwrap();
            }
        })
    };
    for round in 0..60 {
        let name = format!("g{round}");
        applied(&store, creation(&name, UnixMillis(1))).await;
        for (status, text) in [(Status::Submitted, " more"), (Status::Committed, " end")] {
            let stored = store.load(&gid(&name)).await.unwrap();
            assert!(stored.is_some(), "{name} is gone");
            add(&store, &name, status, text).await;
        }
        let page = store.list(&ListQuery::newest(PAGE_MAX)).await.unwrap();
        assert_eq!(page.items.len(), round + 1);
        let stored = store.load(&gid(&name)).await.unwrap().unwrap();
        assert_eq!(stored.chunks.concat(), b"text more end");
    }
    drop(done);
    moving.await.unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_the_log_says_is_moved_when_there_is_much_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let begun = Instant::now();
    for n in 0.. {
        let mut one = creation(&format!("g{n}"), UnixMillis(1));
        one.chunk = Chunk::Add(large.clone());
        applied(&store, one).await;
        assert!(store.inner.index().unsettled_bytes() < 34 << 20);
        if n > 40 && matches!(store.inner.known(&gid("g0")), Known::Waiting(_)) {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(900),
            "nothing is moved"
        );
    }
}

/// Else a start would read each of its versions, however many there are.
#[tokio::test]
async fn a_history_that_is_replaced_again_and_again_does_not_fill_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    applied(&store, creation("g", UnixMillis(1))).await;
    let whole = Chunk::Replace(Bytes::from(vec![b'x'; 1 << 20]));
    let first = log::key(0);
    for n in 0.. {
        follow(
            &store,
            "g",
            Status::Submitted,
            LeaseChange::Keep,
            whole.clone(),
        )
        .await;
        if !store.inner.files.log.contains_key(first).unwrap() {
            break;
        }
        assert!(n < 200, "the log keeps all");
    }
    let stored = store.load(&gid("g")).await.unwrap().unwrap();
    assert_eq!(stored.chunks, [whole.bytes().clone()]);
}

/// It would come back from the log after a crash.
#[tokio::test]
async fn what_the_log_has_still_is_not_purged_though_its_table_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    filled(&store).await;
    let moved = store.inner.index().unsettled();
    let active = moved.iter().map(Arc::as_ref);
    let ended = active.filter(|one| one.header.status.is_final()).collect();
    settle::write_ended(&store.inner.files.ended, ended).unwrap();
    let (old, _) = list::purgeable(&store.inner, UnixMillis(9), 10, &None).unwrap();
    let names: Vec<_> = old.iter().map(|header| header.gid.as_str()).collect();
    assert_eq!(names, ["ended-moved"]);
}
