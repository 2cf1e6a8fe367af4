//! Rows that somebody keeps locked, damaged neighbours, and errors that say little: each costs its own append at most.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{
    Append, AppendOutcome, ClaimLimit, Expected, FencingToken, Gid, Held, Owner, StoreErrorKind,
    TxnStore, UnixMillis,
};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Executor};
use support::{
    Database, append, applied, creation, ending, following, gid, history, loaded, revision, taking,
};

const LONG: Duration = Duration::from_secs(600);

async fn open(database: &Database) -> MysqlStore {
    let options = MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    MysqlStore::open(options).await.unwrap()
}

/// Locks a row until this connection is dropped.
async fn hold(database: &Database, name: &str) -> MySqlConnection {
    let mut holder = database.connect().await;
    let text = format!(
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; \
         SELECT gid FROM global_transaction WHERE gid = '{name}' FOR UPDATE"
    );
    holder
        .execute(sqlx::raw_sql(AssertSqlSafe(text)))
        .await
        .unwrap();
    holder
}

async fn create(store: &MysqlStore, creations: impl IntoIterator<Item = Append>) {
    for answer in store.append(creations.into_iter().collect()).await {
        answer.unwrap();
    }
}

/// So many that a server which scans what it could find by key prefers to scan.
fn crowd(due: usize) -> impl Iterator<Item = Append> {
    (0..300).map(move |n| {
        let mut one = creation(&format!("g{n:03}"), 1_000);
        if n >= due {
            one.wake_at = None;
        }
        one
    })
}

#[tokio::test]
async fn a_claim_and_a_renewal_meet_no_lock_of_rows_that_they_do_not_ask_for() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    create(&store, crowd(150)).await;
    let _holder = hold(&database, "g200").await;
    let limit = ClaimLimit {
        count: 150,
        bytes: 1 << 20,
    };
    let claimed = store.claim_due(Owner(1), LONG, limit).await.unwrap();
    assert_eq!(claimed.len(), 150);
    let held: Vec<_> = claimed
        .iter()
        .map(|one| (one.header.gid.clone(), one.header.token))
        .collect();
    let renewed = store.renew(&held, LONG).await.unwrap();
    assert_eq!(renewed, vec![Held::Renewed(revision(1)); 150]);
}

#[tokio::test]
async fn a_purge_meets_no_lock_of_what_has_not_ended() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    create(&store, crowd(300)).await;
    let mut ends = Vec::new();
    for n in 0..150 {
        ends.push(ending(
            &loaded(&store, &gid(&format!("g{n:03}"))).await.header,
        ));
    }
    create(&store, ends).await;
    let _holder = hold(&database, "g200").await;
    assert_eq!(store.purge(UnixMillis(5_000), 150).await.unwrap(), 150);
}

#[tokio::test]
async fn a_row_that_is_held_ends_no_other_lease() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let names = ["a", "b", "c"];
    for name in names {
        let mut one = creation(name, 1_000);
        one.lease = taking(1, LONG);
        applied(&store, one).await;
    }
    let _holder = hold(&database, "b").await;
    let mut held: Vec<(Gid, FencingToken)> =
        names.map(|name| (gid(name), FencingToken(1))).to_vec();
    held.push((gid("none"), FencingToken(1)));
    held.push((gid("c"), FencingToken(7)));
    let renewed = store.renew(&held, LONG).await.unwrap();
    let sure = Held::Renewed(revision(1));
    assert_eq!(renewed[..3], [sure, Held::Unknown, sure]);
    assert_ne!(renewed[3], sure);
    assert_eq!(renewed[4], Held::Lost, "another token was seen");
}

#[tokio::test]
async fn a_row_that_is_held_fails_its_own_append_only() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let mut batch = Vec::new();
    for name in ["a", "b", "c"] {
        let stored = applied(&store, creation(name, 1_000)).await;
        batch.push(following(&stored.header, "x"));
    }
    batch.push(creation("d", 1_000));
    let mut absent = batch[0].clone();
    absent.gid = gid("absent");
    batch.push(absent);
    let holder = hold(&database, "b").await;
    let answers = store.append(batch).await;
    assert_eq!(answers[0], Ok(AppendOutcome::Applied(revision(2))));
    assert_eq!(
        answers[1].as_ref().unwrap_err().kind,
        StoreErrorKind::Unavailable
    );
    assert_eq!(answers[2], Ok(AppendOutcome::Applied(revision(2))));
    assert_eq!(answers[3], Ok(AppendOutcome::Applied(revision(1))));
    assert_eq!(answers[4], Ok(AppendOutcome::Stale));
    drop(holder);
    assert_eq!(history(&loaded(&store, &gid("b")).await), "[b]");
}

#[tokio::test]
async fn a_table_that_is_being_changed_is_unavailable_before_the_call_is_given_up() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let mut holder = database.connect().await;
    let lock = "LOCK TABLES global_transaction WRITE";
    holder.execute(sqlx::raw_sql(lock)).await.unwrap();
    let error = append(&store, creation("g", 1_000)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    drop(holder);
    assert_eq!(store.load(&gid("g")).await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_record_fails_its_own_creation_only() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    create(&store, [creation("a", 1_000), creation("b", 1_000)]).await;
    database
        .run("UPDATE global_transaction SET status = 99 WHERE gid = 'a'")
        .await;
    let batch = ["a", "b", "c"].map(|name| creation(name, 1_000)).to_vec();
    let answers = store.append(batch).await;
    assert_eq!(
        answers[0].as_ref().unwrap_err().kind,
        StoreErrorKind::Corrupt
    );
    assert!(
        matches!(answers[1], Ok(AppendOutcome::Exists(_))),
        "{answers:?}"
    );
    assert_eq!(answers[2], Ok(AppendOutcome::Applied(revision(1))));
}

/// A write that commits by itself may have been done, unless the server's error says otherwise: 1598 is what a server
/// says whose binary log can't be written, and after which recovery decides.
#[tokio::test]
async fn an_error_that_does_not_say_rolled_back_is_ambiguous() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    for (number, kind) in [
        (1_026, StoreErrorKind::Ambiguous),
        (1_105, StoreErrorKind::Ambiguous),
        (1_598, StoreErrorKind::Ambiguous),
        (1_114, StoreErrorKind::Unavailable),
        (1_290, StoreErrorKind::Unavailable),
        (3_101, StoreErrorKind::Unavailable),
    ] {
        let text = format!(
            "CREATE OR REPLACE TRIGGER fails BEFORE INSERT ON global_transaction FOR EACH ROW \
             SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'as told'"
        );
        database.run(&text).await;
        let error = append(&store, creation("g", 1_000)).await.unwrap_err();
        assert_eq!(error.kind, kind, "{number}: {error}");
    }
}

#[tokio::test]
async fn a_damaged_record_is_not_overwritten_by_an_append_that_comes_alone() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let stored = applied(&store, creation("a", 1_000)).await;
    database
        .run("UPDATE global_transaction SET status = 99 WHERE gid = 'a'")
        .await;
    let error = append(&store, following(&stored.header, "x")).await;
    assert_eq!(error.unwrap_err().kind, StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_revision_or_token_that_nobody_can_have_is_refused_like_any_other() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let stored = applied(&store, creation("a", 1_000)).await;
    let mut far = following(&stored.header, "x");
    far.lease = taking(1, LONG);
    for (revision_of, token, expected) in [
        (u64::MAX, 0, AppendOutcome::Stale),
        (1, u64::MAX, AppendOutcome::Fenced),
    ] {
        far.expected = Expected::At {
            revision: revision(revision_of),
            token: FencingToken(token),
        };
        assert_eq!(append(&store, far.clone()).await, Ok(expected));
    }
}

#[tokio::test]
async fn a_creation_of_what_is_there_and_held_fails_no_other() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = open(&database).await;
    let stored = applied(&store, creation("a", 1_000)).await;
    let next = applied(&store, creation("n", 1_000)).await;
    let _holder = hold(&database, "a").await;
    let answers = store
        .append(vec![creation("a", 1_000), creation("b", 1_000)])
        .await;
    let exists = Ok(AppendOutcome::Exists(Box::new(stored)));
    assert_eq!(answers[0], exists);
    assert_eq!(answers[1], Ok(AppendOutcome::Applied(revision(1))));
    let more = following(&next.header, "x");
    let mixed = vec![creation("a", 1_000), more, creation("c", 1_000)];
    let answers = store.append(mixed).await;
    assert_eq!(answers[0], exists);
    assert_eq!(answers[1], Ok(AppendOutcome::Applied(revision(2))));
    assert_eq!(answers[2], Ok(AppendOutcome::Applied(revision(1))));
}
