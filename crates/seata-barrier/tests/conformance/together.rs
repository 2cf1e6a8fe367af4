//! Deliveries at the same time.

use std::sync::Arc;

use futures_util::future::join_all;
use seata_barrier::{Operation, Skip};

use crate::bank::{ACCOUNTS, Answer, Bank, Ending, Ledger, Order, call, deliver_until_answered};

const TRANSACTIONS: i64 = 40;

/// Delivers all at once, each from a task of its own, until each is answered.
async fn all_at_once<B: Bank>(
    bank: &Arc<B>,
    mut deliveries: Vec<(String, Operation, Order)>,
) -> Vec<(String, Operation, Answer)> {
    fastrand::shuffle(&mut deliveries);
    let tasks = deliveries.into_iter().map(|(gid, operation, order)| {
        let bank = Arc::clone(bank);
        tokio::spawn(async move {
            let answer = deliver_until_answered(&*bank, &call(&gid, operation), order).await;
            (gid, operation, answer)
        })
    });
    join_all(tasks)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

fn count(answers: &[(String, Operation, Answer)], of: Operation, shown: &str) -> usize {
    let is_one = |(_, operation, answer): &&(String, Operation, Answer)| {
        *operation == of && format!("{answer:?}") == shown
    };
    answers.iter().filter(is_one).count()
}

/// Forward and backward operations of many transactions, twice each: the ledger balances, and what was done was undone.
pub(crate) async fn undone<B: Bank>(bank: &Arc<B>, forward: Operation, backward: Operation) {
    let deliveries = (0..TRANSACTIONS).flat_map(|number| {
        [forward, backward, forward, backward].map(|operation| {
            (
                format!("undone-{number}"),
                operation,
                Order::of(1 + number % ACCOUNTS, 10),
            )
        })
    });
    let answers = all_at_once(bank, deliveries.collect()).await;
    assert_eq!(answers.len(), 4 * TRANSACTIONS as usize);
    for account in 1..=ACCOUNTS {
        assert_eq!(bank.ledger(account).await, Ledger::UNTOUCHED);
    }
    let done = count(&answers, forward, "Done");
    assert_eq!(count(&answers, backward, "Done"), done);
    assert_eq!(
        count(&answers, backward, &format!("Skipped({:?})", Skip::Null)),
        TRANSACTIONS as usize - done
    );
    assert_eq!(count(&answers, forward, "Refused"), 0);
}

/// The same operation of many transactions, four times each: each is done once.
pub(crate) async fn repeated<B: Bank>(bank: &Arc<B>) {
    for (operation, ledger) in [
        (Operation::Try, Ledger::after(100, 0)),
        (Operation::Confirm, Ledger::after(0, 100)),
        (Operation::Action, Ledger::after(0, 200)),
    ] {
        let deliveries = (0..TRANSACTIONS).flat_map(|number| {
            std::iter::repeat_n(
                (
                    format!("repeated-{number}"),
                    operation,
                    Order::of(1 + number % ACCOUNTS, 10),
                ),
                4,
            )
        });
        let answers = all_at_once(bank, deliveries.collect()).await;
        assert_eq!(count(&answers, operation, "Done"), TRANSACTIONS as usize);
        for account in 1..=ACCOUNTS {
            assert_eq!(bank.ledger(account).await, ledger, "{operation}");
        }
    }
}

/// Work that is refused, twelve times at once: each waits for one that rolls back. Nothing is claimed, and nobody is in a deadlock.
pub(crate) async fn refused<B: Bank>(bank: &Arc<B>) {
    for round in 0..10 {
        let gid = format!("refused-{round}");
        let too_much = (gid.clone(), Operation::Action, Order::of(1, 10_000));
        let answers = all_at_once(bank, vec![too_much; 12]).await;
        assert_eq!(count(&answers, Operation::Action, "Refused"), 12);
        assert_eq!(bank.ledger(1).await, Ledger::UNTOUCHED);
        let undo = bank
            .deliver(&call(&gid, Operation::Compensation), Order::of(1, 10_000))
            .await;
        assert!(matches!(undo, Answer::Skipped(Skip::Null)), "{undo:?}");
    }
}

/// Some let go of their transaction after the work: what they claimed is free again, and the others do it once.
pub(crate) async fn abandoned<B: Bank>(bank: &Arc<B>) {
    for round in 0..10 {
        let gid = format!("abandoned-{round}");
        let abandon = Order {
            ending: Ending::Abandon,
            ..Order::of(1, 10)
        };
        let alone = bank.deliver(&call(&gid, Operation::Action), abandon).await;
        assert!(
            matches!(alone, Answer::Refused | Answer::Unknown(_)),
            "{alone:?}"
        );
        let mut deliveries = vec![(gid.clone(), Operation::Action, abandon); 6];
        deliveries.extend(vec![(gid.clone(), Operation::Action, Order::of(1, 10)); 6]);
        let answers = all_at_once(bank, deliveries).await;
        assert_eq!(count(&answers, Operation::Action, "Done"), 1);
        assert_eq!(bank.ledger(1).await, Ledger::after(0, 10 * (round + 1)));
    }
}
