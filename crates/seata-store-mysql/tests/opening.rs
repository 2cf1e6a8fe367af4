//! Opening: who makes the tables, whose database it is, and what an operator reads when something is wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{AppendOutcome, Migrate, Shard, StoreError, StoreErrorKind, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use sqlx::Row;
use support::{Database, append, creation};

fn options(database: &Database, migrate: Migrate) -> MysqlOptions {
    MysqlOptions {
        migrate,
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    }
}

async fn refused(options: MysqlOptions) -> StoreError {
    MysqlStore::open(options).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_that_open_at_once_migrate_once() {
    let Some(database) = Database::create().await else {
        return;
    };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let options = options(&database, Migrate::Auto);
            tokio::spawn(async move {
                let migrated = MysqlStore::migrate(&options).await.unwrap();
                MysqlStore::open(options).await.unwrap();
                migrated.applied.len()
            })
        })
        .collect();
    let mut applied = 0;
    for task in tasks {
        applied += task.await.unwrap();
    }
    assert_eq!(applied, 1, "one of them applied the one file");
    let mut connection = database.connect().await;
    let row = sqlx::query("SELECT COUNT(*) FROM seata_migrations WHERE success")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<i64, _>(0), 1);
}

#[tokio::test]
async fn a_migration_that_was_cut_short_runs_again() {
    let Some(database) = Database::create().await else {
        return;
    };
    MysqlStore::migrate(&options(&database, Migrate::Auto))
        .await
        .unwrap();
    // As after a crash between the first table and the second.
    database
        .run("UPDATE seata_migrations SET success = FALSE; DROP TABLE seata_meta")
        .await;
    let error = refused(options(&database, Migrate::Check)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    let store = MysqlStore::open(options(&database, Migrate::Auto)).await;
    assert!(matches!(
        append(&store.unwrap(), creation("g", 1_000)).await.unwrap(),
        AppendOutcome::Applied(_)
    ));
}

#[tokio::test]
async fn check_refuses_what_is_not_migrated_and_says_what_to_run() {
    let Some(database) = Database::create().await else {
        return;
    };
    let error = refused(options(&database, Migrate::Check)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid);
    let says = "has the tables of migration 0, and this server needs 1; run `seata-server migrate`";
    assert!(error.why.contains(says), "{error}");
    let mut connection = database.connect().await;
    let tables = sqlx::query("SHOW TABLES").fetch_all(&mut connection).await;
    assert!(tables.unwrap().is_empty(), "a check changes nothing");
    let migrated = MysqlStore::migrate(&options(&database, Migrate::Off)).await;
    let migrated = migrated.unwrap();
    assert_eq!((migrated.applied, migrated.version), (vec![1], 1));
    MysqlStore::open(options(&database, Migrate::Check))
        .await
        .unwrap();
}

#[tokio::test]
async fn off_does_not_look_at_migrations() {
    let Some(database) = Database::create().await else {
        return;
    };
    let error = refused(options(&database, Migrate::Off)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert!(
        error.to_string().contains("seata-server migrate"),
        "{error}"
    );
    MysqlStore::migrate(&options(&database, Migrate::Off))
        .await
        .unwrap();
    // Somebody else made the tables, by other means.
    database.run("DROP TABLE seata_migrations").await;
    MysqlStore::open(options(&database, Migrate::Off))
        .await
        .unwrap();
}

#[tokio::test]
async fn tables_of_a_newer_server_and_changed_ones_are_refused() {
    let Some(database) = Database::create().await else {
        return;
    };
    MysqlStore::open(options(&database, Migrate::Auto))
        .await
        .unwrap();
    database
        .run("INSERT INTO seata_migrations VALUES (999, 'later', NOW(), TRUE, '', 1)")
        .await;
    for migrate in [Migrate::Auto, Migrate::Check] {
        let error = refused(options(&database, migrate)).await;
        assert_eq!(error.kind, StoreErrorKind::Invalid);
        assert!(
            error.to_string().contains("start a newer server"),
            "{error}"
        );
    }
    database
        .run("DELETE FROM seata_migrations WHERE version = 999; UPDATE seata_migrations SET checksum = 'x'")
        .await;
    let error = refused(options(&database, Migrate::Auto)).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn a_database_stays_the_shard_that_it_was_first() {
    let Some(database) = Database::create().await else {
        return;
    };
    let shard = |index, count| MysqlOptions {
        shard: Shard::new(index, count).unwrap(),
        ..options(&database, Migrate::Auto)
    };
    MysqlStore::open(shard(1, 3)).await.unwrap();
    MysqlStore::open(shard(1, 3)).await.unwrap();
    for other in [shard(0, 3), shard(1, 2), shard(0, 1)] {
        let error = refused(other).await;
        assert_eq!(error.kind, StoreErrorKind::Invalid);
        assert!(error.to_string().contains("keeps shard 1/3"), "{error}");
    }
}

const SECRET: &str = "hunter2secret";

#[tokio::test]
async fn errors_say_what_to_change_and_hold_no_secret() {
    let Some(database) = Database::create().await else {
        return;
    };
    let host = database.options();
    let at = format!("{}:{}", host.get_host(), host.get_port());
    let name = &database.name;
    let cases = [
        (
            format!("mysql://nobody:{SECRET}@{at}/{name}"),
            StoreErrorKind::Invalid,
            "change user, password",
        ),
        (
            format!("mysql://root:{SECRET}@{at}/{name}"),
            StoreErrorKind::Invalid,
            "change user, password",
        ),
        (
            format!("{}x", database.address()),
            StoreErrorKind::Invalid,
            "change user, password, database or TLS in SEATA_MYSQL_DSN",
        ),
        (
            format!("mysql://root:{SECRET}@127.0.0.1:1/{name}"),
            StoreErrorKind::Unavailable,
            "127.0.0.1:1",
        ),
        (
            format!("mysql://root:{SECRET}@no-such-host.invalid/{name}"),
            StoreErrorKind::Unavailable,
            "no-such-host",
        ),
        (
            format!("mysql://root:{SECRET}@{at}"),
            StoreErrorKind::Invalid,
            "SEATA_MYSQL_DSN names no database",
        ),
        (
            format!("postgres://root:{SECRET}@{at}/{name}"),
            StoreErrorKind::Invalid,
            "mysql://user:password",
        ),
        (
            format!("mysql://root:{SECRET}@{at}:x:y/{name}"),
            StoreErrorKind::Invalid,
            "mysql://user:password",
        ),
    ];
    for (address, kind, says) in cases {
        let options = MysqlOptions {
            timeout: Duration::from_secs(30),
            ..MysqlOptions::new(address)
        };
        assert!(!format!("{options:?}").contains(SECRET));
        let error = refused(options).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_is_unavailable() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let options = MysqlOptions {
        timeout: Duration::from_millis(200),
        ..MysqlOptions::new(format!("mysql://root:{SECRET}@127.0.0.1:{port}/seata"))
    };
    let migrating = tokio::time::timeout(Duration::from_secs(20), MysqlStore::migrate(&options));
    let migrated = migrating.await.expect("a migration waits for ever");
    for error in [migrated.unwrap_err(), refused(options.clone()).await] {
        assert_eq!(error.kind, StoreErrorKind::Unavailable);
        assert!(error.why.contains("check that the server runs"), "{error}");
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn who_may_not_make_tables_is_told_what_to_grant() {
    let Some(database) = Database::create().await else {
        return;
    };
    let name = &database.name;
    let made = format!(
        "CREATE USER '{name}'@'%' IDENTIFIED BY '{SECRET}'; GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO '{name}'@'%'"
    );
    database.run(&made).await;
    let host = database.options();
    let at = format!("{}:{}", host.get_host(), host.get_port());
    let address = format!("mysql://{name}:{SECRET}@{at}/{name}");
    let options = MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(address)
    };
    let error = refused(options).await;
    database.run(&format!("DROP USER '{name}'@'%'")).await;
    assert_eq!(error.kind, StoreErrorKind::Invalid, "{error}");
    assert!(
        error.why.contains("grant CREATE on the database"),
        "{error}"
    );
    assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
}

#[tokio::test]
async fn the_limits_follow_the_servers_packet() {
    let Some(database) = Database::create().await else {
        return;
    };
    let store = MysqlStore::open(options(&database, Migrate::Auto))
        .await
        .unwrap();
    let mut connection = database.connect().await;
    let row = sqlx::query("SELECT @@max_allowed_packet")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let packet = usize::try_from(row.get::<u64, _>(0)).unwrap();
    let limits = store.limits();
    // Hexadecimal takes twice the room.
    assert!(limits.record_bytes_max * 2 < packet);
    assert!(limits.batch_bytes_max * 2 < packet);
    assert!(limits.record_bytes_max > packet / 3);
}

#[tokio::test]
async fn an_open_that_somebody_holds_up_is_given_up() {
    let Some(database) = Database::create().await else {
        return;
    };
    MysqlStore::migrate(&options(&database, Migrate::Auto))
        .await
        .unwrap();
    let mut holder = database.connect().await;
    let lock = "LOCK TABLES seata_meta WRITE";
    sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
    for migrate in [Migrate::Auto, Migrate::Check, Migrate::Off] {
        let options = MysqlOptions {
            timeout: Duration::from_millis(500),
            ..options(&database, migrate)
        };
        let given_up = tokio::time::timeout(Duration::from_secs(20), refused(options)).await;
        let error = given_up.expect("an open waits for ever");
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    }
}
