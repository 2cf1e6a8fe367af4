//! Opening: tables, marks, settings, and what is said when it can't be opened.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use seata_store::{ClaimLimit, Migrate, Owner, Shard, StoreError, StoreErrorKind, TxnStore};
use seata_store_postgres::{PostgresOptions, PostgresStore};
use support::{Apart, Place, applied, creation, number, run, taking};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn refusal(options: PostgresOptions) -> StoreError {
    match PostgresStore::open(options).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

fn with(place: &Place, migrate: Migrate) -> PostgresOptions {
    PostgresOptions {
        migrate,
        ..place.options()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_open_at_once_migrate_once() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let opened = join_all((0..8).map(|_| PostgresStore::open(place.options()))).await;
    for store in opened {
        store.unwrap().ping().await.unwrap();
    }
    let mut live = place.connect().await;
    let count = number(&mut live, "SELECT count(*) FROM seata_migrations").await;
    assert_eq!(count, 2);
    let again = PostgresStore::migrate(&place.options()).await.unwrap();
    assert_eq!((again.applied, again.version), (Vec::new(), 2));
}

#[tokio::test]
async fn check_refuses_an_empty_database_and_says_what_to_run() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let error = refusal(with(&place, Migrate::Check)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    assert_eq!(error.doing, "checking the tables", "nothing is migrated");
    assert!(
        error.to_string().contains("seata-server migrate"),
        "{error}"
    );
    let error = refusal(with(&place, Migrate::Off)).await;
    assert!(
        error.to_string().contains("seata-server migrate"),
        "{error}"
    );
    let done = PostgresStore::migrate(&place.options()).await.unwrap();
    assert_eq!((done.applied, done.version), (vec![1, 2], 2));
    PostgresStore::open(with(&place, Migrate::Check))
        .await
        .unwrap();
}

#[tokio::test]
async fn who_may_not_read_what_was_applied_is_told_what_to_grant() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    drop(place.open().await);
    let mut live = place.connect().await;
    let (schema, role) = (place.name(), format!("{}_reader", place.name()));
    let made = format!("CREATE ROLE {role}; GRANT USAGE ON SCHEMA {schema} TO {role}");
    run(&mut live, &made).await;
    let options = PostgresOptions {
        address: format!("{}&options[role]={role}", place.address()),
        migrate: Migrate::Check,
        ..place.options()
    };
    let error = refusal(options).await;
    run(
        &mut live,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    )
    .await;
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert_eq!(error.doing, "checking the tables");
    let says = "grant SELECT on seata_migrations to the user of SEATA_POSTGRES_DSN";
    assert!(error.why.contains(says), "{error}");
}

#[tokio::test]
async fn off_does_not_look_and_check_does() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    drop(place.open().await);
    run(&mut place.connect().await, "DROP TABLE seata_migrations").await;
    refusal(with(&place, Migrate::Check)).await;
    PostgresStore::open(with(&place, Migrate::Off))
        .await
        .unwrap();
}

#[tokio::test]
async fn tables_of_a_newer_server_and_changed_ones_are_refused() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    drop(place.open().await);
    let mut live = place.connect().await;
    run(
        &mut live,
        "INSERT INTO seata_migrations SELECT 99, 'new', now(), true, 'x', 0",
    )
    .await;
    for migrate in [Migrate::Auto, Migrate::Check] {
        let error = refusal(with(&place, migrate)).await;
        assert_eq!(error.kind, StoreErrorKind::Invalid);
        assert!(error.to_string().contains("newer server"), "{error}");
    }
    run(&mut live, "DELETE FROM seata_migrations WHERE version = 99").await;
    run(
        &mut live,
        "UPDATE seata_migrations SET checksum = 'x' WHERE version = 1",
    )
    .await;
    let error = refusal(with(&place, Migrate::Auto)).await;
    assert!(error.to_string().contains("by hand"), "{error}");
}

#[tokio::test]
async fn a_database_keeps_one_part_and_refuses_to_be_another() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let part = |index, count| PostgresOptions {
        shard: Shard::new(index, count).unwrap(),
        ..place.options()
    };
    PostgresStore::open(part(1, 3)).await.unwrap();
    PostgresStore::open(part(1, 3)).await.unwrap();
    for other in [part(0, 3), part(1, 2), part(0, 1)] {
        let error = refusal(other).await;
        assert_eq!(error.kind, StoreErrorKind::Invalid);
        assert!(error.to_string().contains("part 1/3"), "{error}");
        assert!(error.to_string().contains("order"), "{error}");
    }
}

/// Says no to any password, as a server does that asks for one.
async fn doorman() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut guest, _) = listener.accept().await.unwrap();
        let mut heard = [0; 4096];
        assert!(guest.read(&mut heard).await.unwrap() > 0);
        guest.write_all(b"R\0\0\0\x08\0\0\0\x03").await.unwrap();
        assert!(guest.read(&mut heard).await.unwrap() > 0);
        let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"u\"\0\0";
        let mut answer = vec![b'E'];
        answer.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
        answer.extend(fields);
        guest.write_all(&answer).await.unwrap();
    });
    port
}

#[tokio::test]
async fn a_wrong_password_is_not_repeated_and_the_text_says_what_to_check() {
    let port = doorman().await;
    let address = format!("postgres://u:hush@127.0.0.1:{port}/db?sslmode=disable");
    let error = refusal(PostgresOptions::new(address)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hush"), "{text}");
    assert!(
        text.contains("check user and password in SEATA_POSTGRES_DSN"),
        "{text}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_and_the_text_says_what_to_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = format!("postgres://u:hush@127.0.0.1:{port}/db");
    let error = refusal(PostgresOptions::new(address)).await;
    assert_eq!(error.kind, StoreErrorKind::Unavailable);
    let text = format!("{error} {error:?}");
    assert!(!text.contains("hush") && text.contains("host"), "{text}");
}

#[tokio::test]
async fn unknown_users_and_databases_are_configuration() {
    let Some(place) = Place::new(Apart::Schema).await else {
        return;
    };
    let (_, host) = place.server().rsplit_once('@').unwrap();
    let (host, _) = host.split_once('/').unwrap();
    let stranger = format!("postgres://seata_stranger:hush@{host}/postgres");
    let (start, _) = place.server().rsplit_once('/').unwrap();
    for address in [stranger, format!("{start}/seata_no_such_database")] {
        let error = refusal(PostgresOptions::new(address)).await;
        assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
        assert!(!error.to_string().contains("hush"), "{error}");
        assert!(error.to_string().contains("SEATA_POSTGRES_DSN"), "{error}");
        // Of the server's own source.
        assert!(!error.to_string().contains("at line"), "{error}");
    }
}

#[tokio::test]
async fn time_zones_of_the_server_change_nothing() {
    let Some(place) = Place::new(Apart::Database).await else {
        return;
    };
    let text = format!(
        "ALTER DATABASE {} SET timezone TO 'Pacific/Kiritimati'",
        place.name()
    );
    run(&mut place.connect().await, &text).await;
    let store = place.open().await;
    let now_ms = store.ping().await.unwrap().0;
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let apart_ms = now_ms.abs_diff(i64::try_from(clock).unwrap());
    // Time zones are quarters of an hour apart at least.
    assert!(apart_ms < 600_000, "{apart_ms}");
    let mut held = creation("held", 1_000);
    held.lease = taking(1, Duration::from_secs(600));
    let until_ms = applied(&store, held).await.lease_until.unwrap().0;
    assert!((now_ms + 600_000..now_ms + 700_000).contains(&until_ms));
    let all = ClaimLimit {
        count: 10,
        bytes: 1 << 20,
    };
    let claimed = store.claim_due(Owner(2), Duration::from_secs(1), all).await;
    assert!(claimed.unwrap().is_empty());
}
