//! What is moved from the log to the tables: nothing is lost, doubled or turned back, wherever a crash, a change or a
//! reader comes in between.

use std::collections::BTreeMap;

use seata_store::{FencingToken, Header, Held, ListQuery, PAGE_MAX};

use super::*;
use crate::index::Known;
use crate::{log, settle};

const OWNER: Owner = Owner(1);

/// Appends what follows, on what is there.
pub(super) async fn follow(
    store: &FjallStore,
    name: &str,
    status: Status,
    lease: LeaseChange,
    chunk: Chunk,
) {
    let header = store.load(&gid(name)).await.unwrap().unwrap().header;
    let next = Append {
        status,
        lease,
        chunk,
        ..Append::to(&header)
    };
    applied(store, next).await;
}

pub(super) async fn add(store: &FjallStore, name: &str, status: Status, text: &'static str) {
    let chunk = Chunk::Add(Bytes::from_static(text.as_bytes()));
    follow(store, name, status, LeaseChange::Keep, chunk).await;
}

/// Answers what the store says of all that it lists: revision, status and history of each.
async fn told(store: &FjallStore) -> BTreeMap<String, (u64, Status, String)> {
    let page = store.list(&ListQuery::newest(PAGE_MAX)).await.unwrap();
    let mut told = BTreeMap::new();
    for header in page.items {
        let Header { gid, .. } = header;
        let stored = store.load(&gid).await.unwrap().unwrap();
        let history = String::from_utf8(stored.chunks.concat()).unwrap();
        let whole = (stored.header.revision.0, stored.header.status, history);
        let before = told.insert(gid.as_str().to_owned(), whole);
        assert!(before.is_none(), "{gid} is listed twice");
    }
    told
}

fn record(revision: u64, status: Status, history: &str) -> (u64, Status, String) {
    (revision, status, history.to_owned())
}

/// Three in each state: only in the log, moved before, and moved before with more in the log.
pub(super) async fn filled(store: &FjallStore) -> BTreeMap<String, (u64, Status, String)> {
    for name in ["open-moved", "open-both", "ended-moved", "ended-both"] {
        applied(store, creation(name, UnixMillis(1))).await;
    }
    add(store, "ended-moved", Status::Committed, " end").await;
    store.inner.settle().unwrap();
    applied(store, creation("open-log", UnixMillis(1))).await;
    applied(store, creation("ended-log", UnixMillis(1))).await;
    add(store, "open-both", Status::Submitted, " more").await;
    add(store, "ended-both", Status::Committed, " end").await;
    add(store, "ended-log", Status::Committed, " end").await;
    let expected = [
        ("open-moved", record(1, Status::Submitted, "text")),
        ("open-both", record(2, Status::Submitted, "text more")),
        ("open-log", record(1, Status::Submitted, "text")),
        ("ended-moved", record(2, Status::Committed, "text end")),
        ("ended-both", record(2, Status::Committed, "text end")),
        ("ended-log", record(2, Status::Committed, "text end")),
    ];
    let expected = expected.map(|(name, record)| (name.to_owned(), record));
    let expected = BTreeMap::from(expected);
    assert_eq!(told(store).await, expected);
    expected
}

fn keys_of_the_log(store: &FjallStore) -> Vec<Vec<u8>> {
    let items = store.inner.files.log.iter();
    items.map(|item| item.key().unwrap().to_vec()).collect()
}

#[tokio::test]
async fn a_crash_before_the_log_stops_counting_repeats_the_move() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let expected = filled(&store).await;
    let moved = store.inner.index().unsettled();
    let active = moved.iter().map(Arc::as_ref);
    let ended = active.filter(|one| one.header.status.is_final()).collect();
    settle::write_ended(&store.inner.files.ended, ended).unwrap();
    assert_eq!(told(&store).await, expected);
    drop(store);
    let (store, _) = open(&folder);
    assert_eq!(told(&store).await, expected);
    store.inner.settle().unwrap();
    assert_eq!(told(&store).await, expected);
    assert_eq!(store.purge(UnixMillis(9), 10).await.unwrap(), 3);
    drop(store);
    let (store, _) = open(&folder);
    let names: Vec<_> = told(&store).await.into_keys().collect();
    assert_eq!(
        names,
        ["open-both", "open-log", "open-moved"],
        "none comes back"
    );
}

#[tokio::test]
async fn a_crash_before_the_log_is_cleared_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let expected = filled(&store).await;
    let moved = store.inner.index().unsettled();
    let from = store.inner.writer("looking").unwrap().next;
    settle::write(&store.inner.files, &moved, from).unwrap();
    drop(store);
    let (store, _) = open(&folder);
    assert!(keys_of_the_log(&store).len() > 1);
    assert_eq!(told(&store).await, expected);
    add(&store, "open-both", Status::Committed, " end").await;
    store.inner.settle().unwrap();
    assert_eq!(keys_of_the_log(&store), [layout::FROM]);
    drop(store);
    let (store, _) = open(&folder);
    let both = &told(&store).await["open-both"];
    assert_eq!(*both, record(3, Status::Committed, "text more end"));
}

#[tokio::test]
async fn what_changes_while_it_is_moved_stays_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let mut expected = filled(&store).await;
    let moved = store.inner.index().unsettled();
    let from = store.inner.writer("looking").unwrap().next;
    settle::write(&store.inner.files, &moved, from).unwrap();
    let whole = || Chunk::Replace(Bytes::from_static(b"whole"));
    for (name, before) in [("open-log", "text"), ("open-both", "text more")] {
        let (revision, ..) = expected[name];
        add(&store, name, Status::Submitted, " again").await;
        expected.insert(
            name.to_owned(),
            record(revision + 1, Status::Submitted, &format!("{before} again")),
        );
    }
    follow(
        &store,
        "open-moved",
        Status::Submitted,
        LeaseChange::Keep,
        whole(),
    )
    .await;
    add(&store, "open-moved", Status::Submitted, " and more").await;
    expected.insert(
        "open-moved".to_owned(),
        record(3, Status::Submitted, "whole and more"),
    );
    applied(&store, creation("new", UnixMillis(1))).await;
    expected.insert("new".to_owned(), record(1, Status::Submitted, "text"));
    assert_eq!(told(&store).await, expected);
    store.inner.index().settle(&moved);
    assert_eq!(told(&store).await, expected);
    add(&store, "open-log", Status::Aborted, " end").await;
    expected.insert(
        "open-log".to_owned(),
        record(3, Status::Aborted, "text again end"),
    );
    assert_eq!(told(&store).await, expected);
    drop(store);
    for _ in 0..2 {
        let (store, _) = open(&folder);
        assert_eq!(told(&store).await, expected);
        store.inner.settle().unwrap();
        assert_eq!(told(&store).await, expected);
    }
}

#[tokio::test]
async fn what_ends_while_it_is_moved_leaves_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    filled(&store).await;
    let moved = store.inner.index().unsettled();
    let from = store.inner.writer("looking").unwrap().next;
    for name in ["open-log", "open-both", "open-moved"] {
        add(&store, name, Status::Committed, " end").await;
    }
    settle::write(&store.inner.files, &moved, from).unwrap();
    store.inner.index().settle(&moved);
    let ended = told(&store).await;
    assert!(
        ended
            .values()
            .all(|(_, status, history)| status.is_final() && history.ends_with(" end"))
    );
    store.inner.settle().unwrap();
    assert_eq!(told(&store).await, ended);
    assert!(store.inner.files.open.is_empty().unwrap());
    assert_eq!(store.inner.index().unsettled_bytes(), 0);
}

#[tokio::test]
async fn a_lease_is_held_while_its_transaction_is_moved_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    let mut leased = creation("leased", UnixMillis(1));
    leased.lease = LeaseChange::Take {
        owner: OWNER,
        lasts: LEASE,
    };
    applied(&store, leased).await;
    store.inner.settle().unwrap();
    let token = FencingToken(1);
    let held = store.renew(&[(gid("leased"), token)], LEASE).await.unwrap();
    assert_eq!(held, [Held::Renewed(Revision(1))]);
    assert!(
        store
            .claim_due(Owner(2), LEASE, ALL)
            .await
            .unwrap()
            .is_empty()
    );
    let nothing = Chunk::Add(Bytes::new());
    follow(
        &store,
        "leased",
        Status::Submitted,
        LeaseChange::Release,
        nothing,
    )
    .await;
    store.inner.settle().unwrap();
    let known = store.inner.known(&gid("leased"));
    assert!(
        matches!(known, Known::Waiting(_)),
        "memory keeps little of it"
    );
    let claimed = store.claim_due(Owner(2), LEASE, ALL).await.unwrap();
    let header = &claimed[0].header;
    assert_eq!(
        (header.owner, header.token),
        (Some(Owner(2)), FencingToken(2))
    );
    assert_eq!(header.revision, Revision(2));
}

#[tokio::test]
async fn a_log_with_a_batch_missing_is_refused_at_open() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(&folder);
    for name in ["a", "b", "c"] {
        applied(&store, creation(name, UnixMillis(1))).await;
    }
    store.inner.files.log.remove(log::key(1)).unwrap();
    drop(store);
    let options = FjallOptions::new(|why| panic!("{why}"));
    let error = FjallStore::open(folder.path(), options)
        .map(drop)
        .unwrap_err();
    assert!(
        error.to_string().contains("batch 1 of the log is missing"),
        "{error}"
    );
}

#[tokio::test]
async fn an_append_in_the_log_that_does_not_follow_its_record_is_refused_at_open() {
    for (status, revision) in [
        (Status::Submitted, 1),
        (Status::Submitted, 3),
        (Status::Committed, 2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = open(&folder);
        let mut one = creation("g", UnixMillis(1));
        one.status = status;
        applied(&store, one).await;
        let mut header = store.load(&gid("g")).await.unwrap().unwrap().header;
        header.revision = Revision(revision);
        let mut value = Vec::new();
        log::write(&mut value, &header, &Chunk::Add(Bytes::new()));
        let number = store.inner.writer("looking").unwrap().next;
        let files = &store.inner.files;
        files.log.insert(log::key(number), value).unwrap();
        drop(store);
        let options = FjallOptions::new(|why| panic!("{why}"));
        let error = FjallStore::open(folder.path(), options).map(drop);
        let text = error.unwrap_err().to_string();
        assert!(text.contains("history of g is missing"), "{text}");
    }
}
