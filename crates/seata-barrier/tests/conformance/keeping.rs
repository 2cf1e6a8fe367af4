//! The table itself: made, aged, purged, missing, and looked at from an old snapshot.

use std::sync::Arc;
use std::time::Duration;

use seata_barrier::{BarrierError, Call, Claim, Operation, Skip, claim, migrate, purge};

use crate::bank::{
    Answer, Bank, Ledger, Order, call, deliver_beside_a_purge, deliver_until_answered,
};
use crate::sql::{Sql, SqlBank};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Ten days old claims go, in more than one batch; younger ones stay and still hold.
pub(crate) async fn purged<D: Sql>(bank: &SqlBank<D>) {
    for number in 0..600 {
        let null = bank
            .deliver(
                &call(&format!("old-{number}"), Operation::Compensation),
                Order::of(1, 10),
            )
            .await;
        assert!(matches!(null, Answer::Skipped(Skip::Null)), "{null:?}");
    }
    D::age_claims(&bank.pool, 10).await;
    let young = call("young", Operation::Action);
    assert!(matches!(
        bank.deliver(&young, Order::of(1, 10)).await,
        Answer::Done
    ));
    assert_eq!(D::count_claims(&bank.pool).await, 1201);
    assert_eq!(purge(&bank.pool, 11 * DAY).await.unwrap(), 0);
    assert_eq!(purge(&bank.pool, Duration::MAX).await.unwrap(), 0);
    assert_eq!(purge(&bank.pool, 9 * DAY).await.unwrap(), 1200);
    assert_eq!(D::count_claims(&bank.pool).await, 1);
    let again = bank.deliver(&young, Order::of(1, 10)).await;
    assert!(
        matches!(again, Answer::Skipped(Skip::Duplicate)),
        "{again:?}"
    );
    assert_eq!(bank.ledger(1).await, Ledger::after(0, 10));
}

/// Purges, repetitions of what they delete and new deliveries, all at the same time, don't fail each other.
pub(crate) async fn purged_meanwhile<D: Sql>(bank: &Arc<SqlBank<D>>) {
    let old: Vec<Call> = (0..100)
        .flat_map(|number| {
            [Operation::Cancel, Operation::Compensation]
                .map(|operation| call(&format!("old-{number}"), operation))
        })
        .collect();
    for null in &old {
        deliver_until_answered(&**bank, null, Order::of(1, 1)).await;
    }
    for _ in 0..3 {
        D::age_claims(&bank.pool, 10).await;
        let purges = (0..2).map(|_| {
            let bank = Arc::clone(bank);
            tokio::spawn(async move { purge(&bank.pool, DAY).await.map(|_| ()) })
        });
        // Nulls may be repeated after the purge as well: there is still nothing to undo.
        let repetitions = old.iter().map(|null| {
            let (bank, null) = (Arc::clone(bank), null.clone());
            tokio::spawn(async move {
                let answer = deliver_beside_a_purge(&*bank, &null, Order::of(1, 1)).await;
                assert!(
                    matches!(answer, Answer::Skipped(Skip::Null | Skip::Duplicate)),
                    "{answer:?}"
                );
                Ok(())
            })
        });
        let tasks: Vec<_> = purges.chain(repetitions).collect();
        crate::together::undone(bank, Operation::Action, Operation::Compensation).await;
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        D::age_claims(&bank.pool, 10).await;
        purge(&bank.pool, DAY).await.unwrap();
        assert_eq!(D::count_claims(&bank.pool).await, 0);
    }
}

/// Makes the table from several tasks at once, and again.
pub(crate) async fn migrated_at_once<D: Sql>(bank: &Arc<SqlBank<D>>) {
    D::drop_barrier(&bank.pool).await;
    let tasks = (0..6).map(|_| {
        let bank = Arc::clone(bank);
        tokio::spawn(async move { migrate(&bank.pool).await })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.unwrap().unwrap();
    }
    migrate(&bank.pool).await.unwrap();
    let first = bank
        .deliver(&call("g", Operation::Action), Order::of(1, 10))
        .await;
    assert!(matches!(first, Answer::Done), "{first:?}");
}

/// Says what to do when the table is missing.
pub(crate) async fn not_migrated<D: Sql>(bank: &SqlBank<D>) {
    D::drop_barrier(&bank.pool).await;
    let answer = bank
        .deliver(&call("g", Operation::Action), Order::of(1, 10))
        .await;
    assert!(
        matches!(answer, Answer::Unknown(BarrierError::NotMigrated(_))),
        "{answer:?}"
    );
}

/// A transaction that looked before it claims sees an old state. The key judges by the new one, or the claim is told to come again.
pub(crate) async fn old_snapshot<D: Sql>(bank: &SqlBank<D>) {
    for (meanwhile, late) in [
        (Operation::Action, Operation::Action),
        (Operation::Compensation, Operation::Action),
        (Operation::Compensation, Operation::Compensation),
    ] {
        let gid = format!("snapshot-{meanwhile}-{late}");
        let mut transaction = bank.pool.begin().await.unwrap();
        D::look(&mut transaction).await;
        let first = bank.deliver(&call(&gid, meanwhile), Order::of(2, 10)).await;
        assert!(
            matches!(first, Answer::Done | Answer::Skipped(Skip::Null)),
            "{first:?}"
        );
        match claim(transaction, &call(&gid, late)).await {
            Ok(Claim::Skip(skip)) => {
                let expected = if meanwhile == late {
                    Skip::Duplicate
                } else {
                    Skip::Hanging
                };
                assert_eq!(skip, expected);
            }
            Ok(Claim::Run(_)) => panic!("ran {late} after {meanwhile}"),
            Err(error) => {
                assert!(matches!(error, BarrierError::Busy(_)), "{error:?}");
                assert!(bank.old_snapshot_may_be_busy(), "{error:?}");
            }
        }
    }
}
