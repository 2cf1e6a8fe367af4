//! Another process that dies after it claimed and worked, and before it committed.

use std::io::Write;
use std::process::Stdio;

use seata_barrier::Operation;
use sqlx::{MySql, Postgres, Sqlite};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::bank::{Answer, Bank, Isolation, Ledger, Order, call, deliver_until_answered};
use crate::redis_bank::RedisBank;
use crate::sql::SqlBank;

const KIND: &str = "BARRIER_TEST_KIND";
const ADDRESS: &str = "BARRIER_TEST_ADDRESS";
const GID: &str = "BARRIER_TEST_GID";
const OPERATION: &str = "BARRIER_TEST_OPERATION";

/// Each operation, what must be done before it, and the ledger before and after.
const CASES: [(Operation, Option<Operation>, Ledger, Ledger); 5] = [
    (
        Operation::Action,
        None,
        Ledger::UNTOUCHED,
        Ledger::after(0, 10),
    ),
    (
        Operation::Compensation,
        Some(Operation::Action),
        Ledger::after(0, 10),
        Ledger::UNTOUCHED,
    ),
    (
        Operation::Try,
        None,
        Ledger::UNTOUCHED,
        Ledger::after(10, 0),
    ),
    (
        Operation::Confirm,
        Some(Operation::Try),
        Ledger::after(10, 0),
        Ledger::after(0, 10),
    ),
    (
        Operation::Cancel,
        Some(Operation::Try),
        Ledger::after(10, 0),
        Ledger::UNTOUCHED,
    ),
];

/// Kills a participant in the middle of each operation: nothing of it remains, and the next delivery does it once.
pub(crate) async fn between<B: Bank>(bank: &B, kind: &str) {
    for (operation, before, ledger_before, ledger_after) in CASES {
        let gid = format!("killed-{operation}");
        if let Some(before) = before {
            let done = bank.deliver(&call(&gid, before), Order::of(1, 10)).await;
            assert!(matches!(done, Answer::Done), "{done:?}");
        }
        let mut child = start(kind, &bank.address(), &gid, operation).await;
        if kind != "redis" {
            assert_eq!(bank.ledger(1).await, ledger_before);
        }
        // It waits for the claim of the other process, or comes when that is dead.
        let call_again = call(&gid, operation);
        let again = deliver_until_answered(bank, &call_again, Order::of(1, 10));
        let (answer, killed) = futures_util::join!(again, child.kill());
        killed.unwrap();
        if kind != "redis" {
            assert!(matches!(answer, Answer::Done), "{answer:?}");
        }
        assert_eq!(bank.ledger(1).await, ledger_after, "{operation}");
        let last = deliver_until_answered(bank, &call_again, Order::of(1, 10)).await;
        assert_eq!(format!("{last:?}"), "Skipped(Duplicate)");
        assert_eq!(bank.ledger(1).await, ledger_after, "{operation}");
        undo(bank, &gid, operation).await;
    }
}

/// Leaves the ledger as it was before the case.
async fn undo<B: Bank>(bank: &B, gid: &str, operation: Operation) {
    match operation {
        Operation::Action => {
            bank.deliver(&call(gid, Operation::Compensation), Order::of(1, 10))
                .await;
        }
        Operation::Try => {
            bank.deliver(&call(gid, Operation::Cancel), Order::of(1, 10))
                .await;
        }
        Operation::Confirm => {
            // What is confirmed stays. Another branch pays it back.
            let back = format!("{gid}-back");
            bank.deliver(&call(&back, Operation::Action), Order::of(1, -10))
                .await;
        }
        Operation::Compensation | Operation::Cancel => {}
    }
    assert_eq!(bank.ledger(1).await, Ledger::UNTOUCHED);
}

/// Starts the test below by itself, as the other process, and waits until it says that it has claimed.
async fn start(kind: &str, address: &str, gid: &str, operation: Operation) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::the_other_process", "--nocapture"])
        .env(KIND, kind)
        .env(ADDRESS, address)
        .env(GID, gid)
        .env(OPERATION, operation.as_str())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.ends_with(CLAIMED) {
            return child;
        }
    }
    panic!("the other process ended before it claimed");
}

const CLAIMED: &str = "claimed and worked";

fn tell() {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{CLAIMED}").unwrap();
    out.flush().unwrap();
}

/// The other process. Without an address in its environment it does nothing.
#[tokio::test]
async fn the_other_process() {
    let Ok(address) = std::env::var(ADDRESS) else {
        return;
    };
    let given = |name: &str| std::env::var(name).unwrap();
    let operation = Operation::parse(&given(OPERATION)).unwrap();
    let call = call(&given(GID), operation);
    let order = Order::of(1, 10);
    let isolation = Isolation::ReadCommitted;
    match given(KIND).as_str() {
        "postgres" => {
            hang(
                &SqlBank::<Postgres>::attach(&address, isolation).await,
                &call,
                order,
            )
            .await
        }
        "mysql" => {
            hang(
                &SqlBank::<MySql>::attach(&address, isolation).await,
                &call,
                order,
            )
            .await
        }
        "sqlite" => {
            hang(
                &SqlBank::<Sqlite>::attach(&address, isolation).await,
                &call,
                order,
            )
            .await
        }
        "redis" => hang(&RedisBank::attach(&address, isolation).await, &call, order).await,
        other => panic!("{KIND} is {other}"),
    }
}

async fn hang<B: Bank>(bank: &B, call: &seata_barrier::Call, order: Order) {
    bank.deliver_and_hang(call, order, tell).await;
}
