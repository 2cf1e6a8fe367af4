//! Shards that are dead, frozen or half alive: what they cost, and whom. Time is virtual, so spans are exact.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use seata_store::{AppendOutcome, Held, ListQuery, Owner, StoreErrorKind, TxnStore, UnixMillis};
use seata_store_mem::{AppendFault, OtherFault};
use seata_store_sharded::{ANSWER_TIME_MAX, ShardState, Sharded};
use support::{ALL, Cluster, LEASE, creation, gid};
use tokio::time::Instant;

/// What the engine gives a batch.
const ENGINE_TIME: Duration = Duration::from_secs(2);

/// Answers what became of a batch with one new transaction for each shard, in order.
async fn append_round(cluster: &Cluster, round: usize) -> Vec<Result<(), StoreErrorKind>> {
    let names = cluster.one_name_each(&format!("r{round}-"));
    let batch = names.iter().map(|name| creation(name, 1_000)).collect();
    let answers = cluster.store.append(batch).await;
    answers
        .into_iter()
        .map(|answer| match answer {
            Ok(AppendOutcome::Applied(_)) => Ok(()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.kind),
        })
        .collect()
}

const DEAD: Result<(), StoreErrorKind> = Err(StoreErrorKind::Unavailable);
const LOST: Result<(), StoreErrorKind> = Err(StoreErrorKind::Ambiguous);

#[tokio::test(start_paused = true)]
async fn a_dead_shard_fails_its_own_and_nothing_else() {
    let cluster = Cluster::new(3);
    assert_eq!(append_round(&cluster, 0).await, [Ok(()); 3]);
    let store = &cluster.store;
    let claimed = store.claim_due(Owner(1), LEASE, ALL).await.unwrap();
    let held: Vec<_> = claimed
        .iter()
        .map(|one| (one.header.gid.clone(), one.header.token))
        .collect();
    let dead = cluster.place(&held[1].0);
    cluster.faults[dead].set(AppendFault::Unavailable, OtherFault::Unavailable);

    let answers = append_round(&cluster, 1).await;
    for (shard, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer, if shard == dead { DEAD } else { Ok(()) });
    }
    let renewed = store.renew(&held, LEASE).await.unwrap();
    assert_eq!(renewed[1], Held::Unknown);
    for place in [0, 2] {
        assert!(matches!(renewed[place], Held::Renewed(_)), "{renewed:?}");
    }
    for (place, (name, _)) in held.iter().enumerate() {
        assert_eq!(store.load(name).await.is_err(), place == 1);
    }
    assert_eq!(
        store.claim_due(Owner(2), LEASE, ALL).await.unwrap().len(),
        2
    );
    assert!(store.ping().await.is_ok());
    assert_eq!(store.purge(UnixMillis(i64::MAX), 10).await.unwrap(), 0);
    let error = store.list(&ListQuery::newest(10)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable, "a part is missing");
    assert!(
        error.to_string().contains(&format!("shard {dead}/3")),
        "{error}"
    );

    let mut states = [ShardState::Answers; 3];
    states[dead] = ShardState::Fails;
    assert_eq!(store.states(), states);
    cluster.faults[dead].set(AppendFault::None, OtherFault::None);
    assert_eq!(append_round(&cluster, 2).await, [Ok(()); 3]);
    assert_eq!(
        store
            .list(&ListQuery::newest(10))
            .await
            .unwrap()
            .items
            .len(),
        8
    );
    assert_eq!(store.states(), [ShardState::Answers; 3]);
}

#[tokio::test(start_paused = true)]
async fn without_any_shard_everything_fails() {
    let cluster = Cluster::new(2);
    let held = [(gid("a"), seata_store::FencingToken(1))];
    for fault in [OtherFault::Unavailable, OtherFault::Hang] {
        cluster
            .faults
            .iter()
            .for_each(|one| one.set(AppendFault::Unavailable, fault));
        let store = &cluster.store;
        let begun = Instant::now();
        assert!(store.claim_due(Owner(1), LEASE, ALL).await.is_err());
        assert!(store.renew(&held, LEASE).await.is_err());
        assert!(store.ping().await.is_err());
        assert!(store.purge(UnixMillis(1), 1).await.is_err());
        assert_eq!(append_round(&cluster, 0).await, [DEAD; 2]);
        assert!(begun.elapsed() < ENGINE_TIME);
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_shard_costs_the_others_their_time_once() {
    let cluster = Cluster::new(3);
    cluster.faults[1].set(AppendFault::Hang, OtherFault::Hang);
    let begun = Instant::now();
    assert_eq!(append_round(&cluster, 0).await, [Ok(()), LOST, Ok(())]);
    assert!(
        begun.elapsed() < ENGINE_TIME,
        "the engine still takes the answers"
    );
    let begun = Instant::now();
    for round in 1..100 {
        assert_eq!(append_round(&cluster, round).await, [Ok(()), DEAD, Ok(())]);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(cluster.store.states()[1], ShardState::Silent);
    for round in 100..140 {
        tokio::time::advance(Duration::from_millis(700)).await;
        let sent_at = Instant::now();
        assert_eq!(
            append_round(&cluster, round).await[1],
            DEAD,
            "no batch waits for a probe"
        );
        assert_eq!(sent_at.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_thaws_is_found_again() {
    let cluster = Cluster::new(3);
    cluster.faults[2].set(AppendFault::Hang, OtherFault::Hang);
    append_round(&cluster, 0).await;
    append_round(&cluster, 1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.faults[2].set(AppendFault::None, OtherFault::None);
    cluster.answers_again().await;
    assert_eq!(append_round(&cluster, 2).await, [Ok(()); 3]);
    assert_eq!(cluster.store.states(), [ShardState::Answers; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_reads_and_does_not_write_costs_a_batch_now_and_then() {
    let cluster = Cluster::new(2);
    cluster.faults[0].set(AppendFault::Hang, OtherFault::None);
    let begun = Instant::now();
    let mut waited = Duration::ZERO;
    let mut round = 0;
    while begun.elapsed() < Duration::from_secs(600) {
        round += 1;
        let sent_at = Instant::now();
        let answers = append_round(&cluster, round).await;
        assert!(answers[0] == DEAD || answers[0] == LOST);
        assert_eq!(answers[1], Ok(()));
        waited += sent_at.elapsed();
        assert!(cluster.store.load(&gid("anything")).await.is_ok());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(waited < begun.elapsed() / 4, "{waited:?}");
    cluster.faults[0].set(AppendFault::None, OtherFault::None);
    cluster.answers_again().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_shard_is_waited_for_and_no_longer_than_its_time() {
    let cluster = Cluster::new(2);
    let hung = cluster.one_name_each("g");
    cluster.faults[1].set(AppendFault::HangAfter, OtherFault::HangAfter);
    let begun = Instant::now();
    let batch = hung.iter().map(|name| creation(name, 1_000)).collect();
    let answers = cluster.store.append(batch).await;
    assert_eq!(begun.elapsed(), ANSWER_TIME_MAX);
    assert!(answers[0].is_ok());
    assert_eq!(
        answers[1].as_ref().unwrap_err().kind,
        StoreErrorKind::Ambiguous,
        "it may be applied, and is"
    );
    cluster.faults[1].set(AppendFault::None, OtherFault::None);
    cluster.answers_again().await;
    assert!(cluster.store.load(&gid(&hung[1])).await.unwrap().is_some());
}

#[test]
fn no_shard_is_no_store() {
    let error = Sharded::new(Vec::new()).map(drop).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Invalid);
}
