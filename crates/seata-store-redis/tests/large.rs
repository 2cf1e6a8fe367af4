//! Large records that creations meet: how much of them is told at once is bounded, and none is withheld for ever.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use bytes::Bytes;
use seata_store::{AppendOutcome, Chunk, StoreErrorKind, TxnStore};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use support::{Plain, append, applied, creation, options, prefix};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_large_records_some_are_told_at_once_and_the_others_when_asked_for_again() {
    let Some(address) = address("SEATA_TEST_REDIS_URL") else {
        return;
    };
    let prefix = prefix();
    let one_partition = RedisOptions {
        partitions: Some(1),
        ..options(&address, &prefix)
    };
    let store = RedisStore::open(one_partition).await.unwrap();
    let size = store.limits().record_bytes_max / 5 * 2;
    let names = ["a", "b", "c", "d"];
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
    assert_eq!(answers.iter().filter(|answer| told(answer)).count(), 2);
    for (answer, creation) in answers.into_iter().zip(again) {
        if let Err(error) = answer {
            assert_eq!(error.kind, StoreErrorKind::Unavailable);
            assert!(told(&append(&store, creation).await));
        }
    }
    Plain::connect(&address).clear(&prefix);
}
