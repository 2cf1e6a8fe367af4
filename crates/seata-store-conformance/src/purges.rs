//! Purges while what they look for comes again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use seata_store::{Append, AppendOutcome, SCAN_MAX, StoreErrorKind, TxnStore, UnixMillis};

use crate::fixture::{Fixture, append, applied, creation, ending, gid, loaded, names_together};

const LONG_AGO: UnixMillis = UnixMillis(5_000);

/// What was purged and created again under the same name is another transaction: no purge takes it because of the first.
pub async fn a_purge_takes_nothing_that_was_created_again(fixture: impl Fixture) {
    let store = fixture.store();
    let open = applied(store.as_ref(), creation("g", 1_000)).await;
    applied(store.as_ref(), ending(&open.header)).await;
    assert_eq!(store.purge(LONG_AGO, 10).await.unwrap(), 1);
    let again = applied(store.as_ref(), creation("g", 1_000)).await;
    assert_eq!(
        (again.header.token, again.header.owner),
        (open.header.token, None)
    );
    let mut purged = 0;
    for _ in 0..4 {
        purged += store.purge(LONG_AGO, 10).await.unwrap();
    }
    assert_eq!(purged, 0, "it is open");
    let mut end = ending(&again.header);
    end.at = UnixMillis(9_000);
    let ended = applied(store.as_ref(), end).await;
    for _ in 0..4 {
        purged += store.purge(LONG_AGO, 10).await.unwrap();
    }
    assert_eq!(purged, 0, "it ended lately");
    assert_eq!(loaded(store.as_ref(), &gid("g")).await, ended);
}

/// What is too young for one purge is the oldest for a later one: however much there is of it, and though more comes all the
/// time, no purge passes over it.
pub async fn what_is_too_young_for_a_purge_goes_first_when_it_is_old(fixture: impl Fixture) {
    const YOUNG: UnixMillis = UnixMillis(1_000);
    const LIMIT: usize = 100;
    let store = fixture.store();
    let names = names_together(&fixture, "g", SCAN_MAX + 50);
    for (chunk, first) in names.chunks(150).zip((1_000..).step_by(150)) {
        come_and_end(store.as_ref(), chunk, first).await;
    }
    for (name, at_ms) in names_together(&fixture, "more", 3).into_iter().zip(6_000..) {
        assert_eq!(store.purge(YOUNG, LIMIT).await.unwrap(), 0);
        come_and_end(store.as_ref(), &[name], at_ms).await;
    }
    let mut oldest = names.as_slice();
    while !oldest.is_empty() {
        let purged = store.purge(LONG_AGO, LIMIT).await.unwrap();
        assert_eq!(purged, LIMIT.min(oldest.len()));
        for name in &oldest[..purged] {
            assert_eq!(store.load(&gid(name)).await.unwrap(), None, "{name}");
        }
        oldest = &oldest[purged..];
    }
    assert_eq!(store.purge(LONG_AGO, LIMIT).await.unwrap(), 0);
}

/// Creates and ends transactions, a millisecond after each other.
async fn come_and_end(store: &dyn TxnStore, names: &[String], first_ms: i64) {
    let created = names.iter().zip(first_ms..);
    let creations = created.map(|(name, at_ms)| creation(name, at_ms)).collect();
    all_applied(store, creations).await;
    let mut ends = Vec::new();
    for name in names {
        ends.push(ending(&loaded(store, &gid(name)).await.header));
    }
    all_applied(store, ends).await;
}

async fn all_applied(store: &dyn TxnStore, batch: Vec<Append>) {
    for answer in store.append(batch).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
}

/// Purges run while transactions end and come again under their names: none that is open goes, and each that ended does.
pub async fn purges_take_no_open_transaction_while_names_come_again(fixture: impl Fixture) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut purgers = Vec::new();
    for store in [fixture.store(), fixture.another().await] {
        purgers.push(tokio::spawn(purge_until(store, Arc::clone(&stop))));
    }
    let creators = (0..4).map(|n| tokio::spawn(come_again(fixture.store(), format!("g{n}"))));
    let created: usize = join_all(creators)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    stop.store(true, Ordering::Relaxed);
    let purged: usize = join_all(purgers)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    assert_eq!(purged + 4, created, "all went but those that are open");
}

async fn purge_until(store: Arc<dyn TxnStore>, stop: Arc<AtomicBool>) -> usize {
    let mut purged = 0;
    while !stop.load(Ordering::Relaxed) {
        match store.purge(LONG_AGO, 2).await {
            Ok(count) => purged += count,
            // It ran into another one, or into a creation, and removed nothing.
            Err(error) => assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}"),
        }
        tokio::task::yield_now().await;
    }
    purged
}

/// Creates a transaction, looks whether it stays, ends it, waits until it is purged, and creates it again; it leaves it
/// open in the end. Answers how often it was created.
async fn come_again(store: Arc<dyn TxnStore>, name: String) -> usize {
    for round in 1..=25 {
        let open = create_when_free(store.as_ref(), &name).await;
        for _ in 0..5 {
            let stored = store.load(&gid(&name)).await.unwrap();
            assert!(stored.is_some(), "{name} was purged while it is open");
            tokio::task::yield_now().await;
        }
        if round < 25 {
            applied_end(store.as_ref(), &open).await;
        }
    }
    25
}

async fn create_when_free(store: &dyn TxnStore, name: &str) -> seata_store::Header {
    for _ in 0..100_000 {
        match append(store, creation(name, 1_000)).await {
            Ok(AppendOutcome::Applied(_)) => return loaded(store, &gid(name)).await.header,
            Ok(AppendOutcome::Exists(seen)) => assert!(seen.header.status.is_final()),
            Ok(AppendOutcome::Stale | AppendOutcome::Fenced) => {
                panic!("a creation is applied or exists")
            }
            // What it ran into may be gone before it could be shown.
            Err(error) => assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}"),
        }
        tokio::task::yield_now().await;
    }
    panic!("{name} is never purged")
}

/// It may be purged before anybody looks.
async fn applied_end(store: &dyn TxnStore, open: &seata_store::Header) {
    let answer = append(store, ending(open)).await.unwrap();
    assert!(matches!(answer, AppendOutcome::Applied(_)), "{answer:?}");
}
