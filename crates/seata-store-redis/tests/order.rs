//! Claims take what is due in the exact order of wake-ups, however it is spread over partitions.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{
    AppendOutcome, ClaimLimit, Held, LeaseChange, Owner, Stored, TxnStore, UnixMillis,
};
use seata_store_conformance::address;
use seata_store_redis::{RedisOptions, RedisStore};
use seata_test_servers::AppendFsync;
use support::{Plain, applied, creation, gid, options, prefix, start};

const COUNT: i64 = 300;

/// Opens a store of so many partitions and makes records whose wake-ups lie mixed; every fifth had a lease that passed.
async fn filled(address: &str, prefix: &str, partitions: u16) -> RedisStore {
    let spread = RedisOptions {
        partitions: Some(partitions),
        ..options(address, prefix)
    };
    let store = RedisStore::open(spread).await.unwrap();
    let batch = (0..COUNT).map(|number| {
        let mut one = creation(&format!("g{}", 100 + number), 1_000);
        one.wake_at = Some(UnixMillis(1_000 + number * 7_919 % COUNT));
        if number % 5 == 0 {
            one.lease = LeaseChange::Take {
                owner: Owner(1),
                lasts: Duration::from_millis(1),
            };
        }
        one
    });
    for answer in store.append(batch.collect()).await {
        assert!(matches!(answer.unwrap(), AppendOutcome::Applied(_)));
    }
    // Until all leases have passed by the server's clock.
    let until = store.ping().await.unwrap().plus(Duration::from_millis(2));
    while store.ping().await.unwrap() < until {}
    store
}

async fn claim(store: &RedisStore, limit: ClaimLimit) -> Vec<Stored> {
    let lasts = Duration::from_secs(600);
    store.claim_due(Owner(2), lasts, limit).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_keep_the_order_of_wake_ups_over_all_partitions() {
    if address("SEATA_TEST_REDIS_URL").is_none() {
        return;
    }
    let server = start(AppendFsync::No, &[]);
    let bytes = 1 << 20;
    for partitions in [1, 3, 16] {
        for count in [23, 300] {
            let prefix = prefix();
            let store = filled(server.address(), &prefix, partitions).await;
            let mut wake_ups = Vec::new();
            loop {
                let some = claim(&store, ClaimLimit { count, bytes }).await;
                if some.is_empty() {
                    break;
                }
                let is_full = some.len() == count;
                wake_ups.extend(some.iter().map(|one| one.header.wake_at.unwrap().0));
                let is_all = wake_ups.len() == usize::try_from(COUNT).unwrap();
                assert!(is_full || is_all, "a claim takes as many as it may");
            }
            let expected: Vec<i64> = (1_000..1_000 + COUNT).collect();
            assert_eq!(
                wake_ups, expected,
                "{partitions} partitions, {count} at once"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_ends_with_the_first_record_that_passes_its_bytes() {
    let Some(address) = address("SEATA_TEST_REDIS_URL") else {
        return;
    };
    let prefix = prefix();
    let store = filled(&address, &prefix, 16).await;
    // Each history has six bytes.
    for (bytes, count) in [(1, 1), (6, 1), (7, 2), (30, 5), (600, 100)] {
        let claimed = claim(&store, ClaimLimit { count: 200, bytes }).await;
        assert_eq!(claimed.len(), count, "{bytes} bytes");
    }
    Plain::connect(&address).clear(&prefix);
}

/// A claim puts back what had a lease, and may end before it takes that: then its holder renews.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_renewed_after_it_passed_holds_up_none() {
    let Some(address) = address("SEATA_TEST_REDIS_URL") else {
        return;
    };
    let prefix = prefix();
    let one_partition = RedisOptions {
        partitions: Some(1),
        ..options(&address, &prefix)
    };
    let store = RedisStore::open(one_partition).await.unwrap();
    let mut held = creation("b", 2_000);
    held.lease = LeaseChange::Take {
        owner: Owner(1),
        lasts: Duration::from_millis(1),
    };
    let held = applied(&store, held).await;
    applied(&store, creation("a", 1_000)).await;
    applied(&store, creation("c", 3_000)).await;
    let passed = held.lease_until.unwrap();
    while store.ping().await.unwrap() <= passed {}
    let one = ClaimLimit {
        count: 1,
        bytes: 1 << 20,
    };
    assert_eq!(claim(&store, one).await[0].header.gid, gid("a"));
    let renewed = store
        .renew(&[(gid("b"), held.token)], Duration::from_secs(600))
        .await;
    assert_eq!(renewed.unwrap(), [Held::Renewed(held.revision)]);
    assert_eq!(claim(&store, one).await[0].header.gid, gid("c"));
    assert!(claim(&store, one).await.is_empty());
    Plain::connect(&address).clear(&prefix);
}
