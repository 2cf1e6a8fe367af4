//! Claims over several shards: nothing is leased for nothing, and no shard starves.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::collections::BTreeSet;

use seata_store::{ClaimLimit, Owner, TxnStore, UnixMillis};
use seata_store_mem::{AppendFault, OtherFault};
use support::{Cluster, LEASE, creation};

const fn limit(count: usize) -> ClaimLimit {
    ClaimLimit {
        count,
        bytes: 1 << 20,
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_fills_its_limit_and_leases_what_it_answers_alone() {
    let cluster = Cluster::new(3);
    // All in one shard but three.
    for name in cluster
        .names_of(1, "many", 40)
        .iter()
        .chain(&cluster.one_name_each("few"))
    {
        cluster.applied(creation(name, 1_000)).await;
    }
    let mut seen = BTreeSet::new();
    for count in [1, 2, 7, 20, 20] {
        let claimed = cluster
            .store
            .claim_due(Owner(1), LEASE, limit(count))
            .await
            .unwrap();
        let due = 43 - seen.len();
        assert_eq!(claimed.len(), count.min(due));
        seen.extend(claimed.into_iter().map(|one| one.header.gid));
        assert_eq!(cluster.leased(), seen.len());
    }
    assert_eq!(seen.len(), 43);
}

#[tokio::test(start_paused = true)]
async fn no_shard_starves_behind_one_with_much_to_do() {
    let cluster = Cluster::new(3);
    for name in cluster.names_of(0, "early", 50) {
        cluster.applied(creation(&name, 1_000)).await;
    }
    let late = cluster.names_of(2, "late", 1).remove(0);
    cluster.applied(creation(&late, 9_000)).await;
    let mut claimed = Vec::new();
    for _ in 0..3 {
        claimed.extend(
            cluster
                .store
                .claim_due(Owner(1), LEASE, limit(1))
                .await
                .unwrap(),
        );
    }
    assert_eq!(claimed.len(), 3);
    assert!(claimed.iter().any(|one| one.header.gid.as_str() == late));
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_comes_by_wake_up() {
    let cluster = Cluster::new(3);
    for (n, name) in (0..).zip(
        cluster
            .one_name_each("a")
            .iter()
            .chain(&cluster.one_name_each("b")),
    ) {
        cluster.applied(creation(name, 1_000 - n)).await;
    }
    let claimed = cluster
        .store
        .claim_due(Owner(1), LEASE, limit(10))
        .await
        .unwrap();
    let times: Vec<_> = claimed.iter().map(|one| one.header.wake_at).collect();
    assert_eq!(times.len(), 6);
    assert!(times.is_sorted(), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_bytes_is_shared_and_gives_at_least_one() {
    let cluster = Cluster::new(3);
    for name in cluster.names_of(1, "g", 20) {
        cluster.applied(creation(&name, 1_000)).await;
    }
    let tight = ClaimLimit {
        count: 20,
        bytes: 1,
    };
    assert_eq!(
        cluster
            .store
            .claim_due(Owner(1), LEASE, tight)
            .await
            .unwrap()
            .len(),
        1
    );
    let some = ClaimLimit {
        count: 20,
        bytes: 60,
    };
    let bytes: usize = cluster
        .store
        .claim_due(Owner(1), LEASE, some)
        .await
        .unwrap()
        .iter()
        .flat_map(|one| &one.chunks)
        .map(|chunk| chunk.len())
        .sum();
    assert!((60..90).contains(&bytes), "{bytes}");
    assert!(
        cluster
            .store
            .claim_due(Owner(1), LEASE, limit(0))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_frozen_shard_holds_up_one_claim_at_most() {
    let cluster = Cluster::new(3);
    for name in cluster.names_of(0, "g", 30) {
        cluster.applied(creation(&name, 1_000)).await;
    }
    cluster.faults[2].set(AppendFault::Hang, OtherFault::HangAfter);
    let begun = tokio::time::Instant::now();
    let first = cluster
        .store
        .claim_due(Owner(1), LEASE, limit(9))
        .await
        .unwrap();
    assert!(!first.is_empty() && begun.elapsed() < std::time::Duration::from_secs(2));
    let begun = tokio::time::Instant::now();
    let second = cluster
        .store
        .claim_due(Owner(1), LEASE, limit(9))
        .await
        .unwrap();
    assert_eq!((second.len(), begun.elapsed().as_millis()), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn time_is_the_latest_of_the_shards_that_answer() {
    let cluster = Cluster::new(3);
    cluster.clocks[1].set(UnixMillis(5_000_000));
    assert!(cluster.store.ping().await.unwrap() >= UnixMillis(5_000_000));
    cluster.faults[1].set(AppendFault::None, OtherFault::Unavailable);
    assert!(cluster.store.ping().await.unwrap() < UnixMillis(5_000_000));
}
