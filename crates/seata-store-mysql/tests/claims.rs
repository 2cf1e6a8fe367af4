//! Claims of more than one claim looks at.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{ClaimLimit, Owner, TxnStore};
use seata_store_mysql::{MysqlOptions, MysqlStore};
use support::{Database, creation, taking};

#[tokio::test]
async fn a_claim_beyond_its_bound_leaves_out_the_latest_only() {
    let Some(database) = Database::create().await else {
        return;
    };
    let options = MysqlOptions {
        timeout: Duration::from_secs(30),
        ..MysqlOptions::new(database.address())
    };
    let store = MysqlStore::open(options).await.unwrap();
    // Those that nobody holds come first, and are more than a claim looks at; leases of the others have passed.
    let batch = (0..2_200).map(|n| {
        let mut one = creation(&format!("g{n}"), n);
        if n >= 1_100 {
            one.lease = taking(1, Duration::ZERO);
        }
        one
    });
    for answer in store.append(batch.collect()).await {
        answer.unwrap();
    }
    let limit = ClaimLimit {
        count: 5_000,
        bytes: 64 << 20,
    };
    let mut wake_ups = Vec::new();
    loop {
        let claimed = store.claim_due(Owner(2), Duration::from_secs(600), limit);
        let claimed = claimed.await.unwrap();
        if claimed.is_empty() {
            break;
        }
        wake_ups.extend(claimed.iter().map(|one| one.header.wake_at.unwrap()));
    }
    assert_eq!(wake_ups.len(), 2_200);
    assert!(wake_ups.is_sorted(), "an earlier one came later");
}
