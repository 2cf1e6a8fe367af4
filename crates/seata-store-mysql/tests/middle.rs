//! Errors in the middle of a packet: nothing of it stays, nothing stays locked, and the only connection goes on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{StoreErrorKind, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use support::{Database, applied, creation, following, gid, history, loaded};

/// The write of the creation fails, behind that of the update and before the commit, by each kind of error: deadlock,
/// lock wait, a query that was killed, a full table, an unknown one, a value that doesn't fit.
#[tokio::test]
async fn an_error_between_two_writes_leaves_neither_and_no_lock() {
    let Some(database) = Database::create().await else {
        return;
    };
    let options = MysqlOptions {
        connections_max: 1,
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    let store = MysqlStore::open(options).await.unwrap();
    let mut stored = applied(&store, creation("a", 1_000)).await;
    for (number, own) in [
        (1_213, StoreErrorKind::Unavailable),
        (1_205, StoreErrorKind::Unavailable),
        (1_317, StoreErrorKind::Unavailable),
        (1_114, StoreErrorKind::Unavailable),
        (1_598, StoreErrorKind::Unavailable),
        (1_406, StoreErrorKind::Invalid),
    ] {
        let fails = format!(
            "CREATE OR REPLACE TRIGGER fails BEFORE INSERT ON global_transaction FOR EACH ROW BEGIN \
             IF NEW.gid = 'z' THEN SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'as told'; \
             END IF; END"
        );
        database.run(&fails).await;
        let text = format!("<{number}>");
        let batch = vec![following(&stored.header, &text), creation("z", 1_000)];
        let answers = store.append(batch).await;
        assert_eq!(
            answers[1].as_ref().unwrap_err().kind,
            own,
            "{number}: {answers:?}"
        );
        let now = loaded(&store, &gid("a")).await;
        // What will never be taken fails alone, the neighbour goes out again.
        if own == StoreErrorKind::Invalid {
            assert!(answers[0].is_ok() && history(&now).ends_with(&text));
        } else {
            assert_eq!(answers[0].as_ref().unwrap_err().kind, own, "{number}");
            assert_eq!(now, stored, "{number}");
        }
        assert_eq!(store.load(&gid("z")).await.unwrap(), None, "{number}");
        database
            .run("SELECT gid FROM global_transaction FOR UPDATE NOWAIT")
            .await;
        // By the same connection, or by the one that took its place: committed, so that others see it.
        stored = applied(&store, following(&now.header, "next")).await;
        database
            .run("SELECT gid FROM global_transaction FOR UPDATE NOWAIT")
            .await;
    }
}
