//! Large records that creations meet: how much of them is read at once is bounded, and none is withheld for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use seata_store::{AppendOutcome, Chunk, StoreErrorKind, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use support::{Database, append, applied, creation};

#[tokio::test]
async fn of_many_large_records_some_are_told_at_once_and_the_others_when_asked_for_again() {
    let Some(database) = Database::create().await else {
        return;
    };
    let options = MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    let store = MysqlStore::open(options).await.unwrap();
    let limits = store.limits();
    let size = (limits.batch_bytes_max / 5 * 2).min(limits.record_bytes_max);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for name in names {
        let mut large = creation(name, 1_000);
        large.chunk = Chunk::Add(Bytes::from(vec![1; size]));
        applied(&store, large).await;
    }
    let again = names.map(|name| creation(name, 1_000));
    let batch = again.iter().cloned().chain([creation("new", 1_000)]);
    let mut answers = store.append(batch.collect()).await;
    assert!(matches!(answers.pop(), Some(Ok(AppendOutcome::Applied(_)))));
    let told = |answer: &Result<AppendOutcome, _>| matches!(answer, Ok(AppendOutcome::Exists(_)));
    let told_at_once = answers.iter().filter(|answer| told(answer)).count();
    assert_eq!(told_at_once, limits.batch_bytes_max / size);
    for (answer, creation) in answers.into_iter().zip(again) {
        if let Err(error) = answer {
            assert_eq!(error.kind, StoreErrorKind::Unavailable);
            assert!(told(&append(&store, creation).await));
        }
    }
}
