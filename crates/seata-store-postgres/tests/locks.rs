//! Rows that somebody keeps locked, as a person with an open transaction does: they cost themselves and nothing else.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{
    AppendOutcome, Expected, FencingToken, Held, Revision, StoreError, StoreErrorKind, TxnStore,
};
use seata_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::postgres::PgConnection;
use support::{Apart, Place, applied, creation, following, gid, history, one, run, taking, until};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(15);
const LEASE: Duration = Duration::from_secs(600);

async fn open(place: &Place) -> PostgresStore {
    let options = PostgresOptions {
        timeout: LIMIT,
        ..place.options()
    };
    PostgresStore::open(options).await.unwrap()
}

/// Locks rows until the connection is told otherwise.
async fn lock(place: &Place, names: &[&str]) -> PgConnection {
    let mut other = place.connect().await;
    let text = format!(
        "BEGIN; UPDATE global_transaction SET mode = mode WHERE gid IN ('{}')",
        names.join("','")
    );
    run(&mut other, &text).await;
    other
}

fn kind(answer: &Result<AppendOutcome, StoreError>) -> Option<StoreErrorKind> {
    answer.as_ref().err().map(|error| error.kind)
}

const REFUSED: Option<StoreErrorKind> = Some(StoreErrorKind::Unavailable);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_record_fails_its_own_append_and_no_other() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place).await;
    for name in ["a", "kept", "old", "there", "z"] {
        applied(&store, creation(name, 1_000)).await;
    }
    let mut other = lock(&place, &["kept"]).await;
    let batch = vec![
        following("z", 1, "<z>"),
        following("kept", 1, "<no>"),
        creation("new", 1_000),
        following("old", 7, "<no>"),
        following("a", 1, "<a>"),
        creation("there", 1_000),
    ];
    let answers = store.append(batch).await;
    let moved = Ok(AppendOutcome::Applied(Revision(2)));
    assert_eq!((&answers[0], &answers[4]), (&moved, &moved));
    assert_eq!(kind(&answers[1]), REFUSED, "{answers:?}");
    assert_eq!(answers[2], Ok(AppendOutcome::Applied(Revision(1))));
    assert_eq!(answers[3], Ok(AppendOutcome::Stale));
    let there = answers[5].as_ref().unwrap();
    assert!(matches!(there, AppendOutcome::Exists(_)), "{there:?}");
    run(&mut other, "ROLLBACK").await;
    for (name, text) in [("a", "[a]<a>"), ("z", "[z]<z>"), ("kept", "[kept]")] {
        assert_eq!(history(&store, name).await, text.as_bytes());
    }
    assert_eq!(one(&store, following("kept", 1, "<yes>")).await, moved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_goes_out_in_pieces_has_one_time_limit() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place).await;
    applied(&store, creation("kept", 1_000)).await;
    let mut other = lock(&place, &["kept"]).await;
    // A gid that comes twice is a piece each time.
    let batch = (0..4).map(|_| following("kept", 1, "<no>")).collect();
    let answers = timeout(LIMIT * 3 / 2, store.append(batch)).await.unwrap();
    assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), [REFUSED; 4]);
    run(&mut other, "ROLLBACK").await;
    assert_eq!(history(&store, "kept").await, b"[kept]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_creation_that_a_lock_holds_up_fails_no_move() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place).await;
    for name in ["a", "kept"] {
        applied(&store, creation(name, 1_000)).await;
    }
    let mut other = lock(&place, &["kept"]).await;
    let batch = vec![creation("kept", 1_000), following("a", 1, "<a>")];
    let answers = store.append(batch).await;
    assert_eq!(kind(&answers[0]), REFUSED, "{answers:?}");
    assert_eq!(answers[1], Ok(AppendOutcome::Applied(Revision(2))));
    run(&mut other, "ROLLBACK").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_somebody_keeps_costs_a_known_refusal() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place).await;
    applied(&store, creation("a", 1_000)).await;
    let mut other = place.connect().await;
    run(
        &mut other,
        "BEGIN; LOCK TABLE global_transaction IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    let answers = store
        .append(vec![following("a", 1, "<no>"), creation("b", 1_000)])
        .await;
    assert_eq!(answers.iter().map(kind).collect::<Vec<_>>(), [REFUSED; 2]);
    run(&mut other, "ROLLBACK").await;
    assert_eq!(history(&store, "a").await, b"[a]");
    assert_eq!(store.load(&gid("b")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_lease_is_unknown_and_the_others_are_renewed() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let store = open(&place).await;
    for name in ["a", "kept", "z"] {
        let mut append = creation(name, 1_000);
        append.lease = taking(7, LEASE);
        applied(&store, append).await;
    }
    let mut other = lock(&place, &["kept"]).await;
    let held = ["z", "kept", "a"].map(|name| (gid(name), FencingToken(1)));
    let renewed = store.renew(&held, LEASE).await.unwrap();
    let first = Held::Renewed(Revision(1));
    assert_eq!(renewed, [first, Held::Unknown, first]);
    run(&mut other, "ROLLBACK").await;
    assert_eq!(store.renew(&held, LEASE).await.unwrap(), [first; 3]);
}

/// A statement sees the table as it was when it began; what it waited for counts as it is afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waited_for_a_row_judges_it_as_it_is_then() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let store = open(&place).await;
    for name in ["ahead", "ended", "freed", "taken"] {
        let mut append = creation(name, 1_000);
        append.lease = taking(7, LEASE);
        applied(&store, append).await;
    }
    let (mut other, mut watcher) = (place.connect().await, place.connect().await);
    run(
        &mut other,
        "BEGIN; \
         UPDATE global_transaction SET revision = 2, events = events || '<2>' WHERE gid = 'ahead'; \
         UPDATE global_transaction SET status = 4, wake_at = NULL WHERE gid = 'ended'; \
         UPDATE global_transaction SET lease_until = NULL WHERE gid = 'freed'; \
         UPDATE global_transaction SET token = 2 WHERE gid = 'taken'",
    )
    .await;
    let names = ["taken", "freed", "ended", "ahead"];
    let held = names.map(|name| (gid(name), FencingToken(1)));
    let batch = names.map(|name| {
        let mut append = following(name, 2, "<3>");
        append.expected = Expected::At {
            revision: Revision(2),
            token: FencingToken(1),
        };
        append
    });
    let renewing = tokio::spawn({
        let store = store.clone();
        async move { store.renew(&held, LEASE).await }
    });
    let appending = tokio::spawn({
        let store = store.clone();
        async move { store.append(batch.to_vec()).await }
    });
    let wait = format!(
        "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock'",
        place.name()
    );
    until(&mut watcher, &wait).await;
    run(&mut other, "COMMIT").await;
    let appended = appending.await.unwrap();
    let (fenced, stale) = (Ok(AppendOutcome::Fenced), Ok(AppendOutcome::Stale));
    let third = Ok(AppendOutcome::Applied(Revision(3)));
    assert_eq!(appended, [fenced, stale.clone(), stale, third]);
    assert_eq!(history(&store, "ahead").await, b"[ahead]<2><3>");
    let renewed = renewing.await.unwrap().unwrap();
    assert_eq!(renewed[..3], [Held::Lost; 3]);
    // It stands before the append or behind it.
    let ahead = [2, 3].map(|revision| Held::Renewed(Revision(revision)));
    assert!(ahead.contains(&renewed[3]), "{renewed:?}");
}
