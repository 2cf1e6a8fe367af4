//! A participant with a ledger: what the suite needs of each database.

use std::error::Error;
use std::future::Future;

use seata_barrier::{BarrierError, BranchId, Call, Gid, Operation, Skip};

/// What each account holds in the beginning.
pub(crate) const BALANCE: i64 = 1000;

/// How many accounts there are, numbered from 1.
pub(crate) const ACCOUNTS: i64 = 4;

/// One account. Money moves between its three places, and none is made or lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) balance: i64,
    pub(crate) reserved: i64,
    pub(crate) spent: i64,
}

impl Ledger {
    pub(crate) const UNTOUCHED: Self = Self::after(0, 0);

    /// Answers the account after so much was reserved and spent.
    pub(crate) const fn after(reserved: i64, spent: i64) -> Self {
        Self {
            balance: BALANCE - reserved - spent,
            reserved,
            spent,
        }
    }

    /// Answers what an operation adds to the three places.
    pub(crate) const fn change(operation: Operation, amount: i64) -> Self {
        let (balance, reserved, spent) = match operation {
            Operation::Action => (-amount, 0, amount),
            Operation::Compensation => (amount, 0, -amount),
            Operation::Try => (-amount, amount, 0),
            Operation::Confirm => (0, -amount, amount),
            Operation::Cancel => (amount, -amount, 0),
        };
        Self {
            balance,
            reserved,
            spent,
        }
    }
}

/// What the participant is to do with a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) account: i64,
    pub(crate) amount: i64,
    pub(crate) ending: Ending,
}

impl Order {
    pub(crate) const fn of(account: i64, amount: i64) -> Self {
        Self {
            account,
            amount,
            ending: Ending::Commit,
        }
    }
}

/// How the local transaction ends once the work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Commit,
    /// The participant lets go of it, as a handler does whose caller is gone.
    Abandon,
}

/// What the participant answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Skipped(Skip),
    /// The ledger said no, and the transaction was rolled back.
    Refused,
    Unknown(BarrierError),
}

/// Isolation levels that the suite runs at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadCommitted,
    RepeatableRead,
    /// The database has one only.
    TheOne,
}

pub(crate) trait Bank: Sized + Send + Sync + 'static {
    /// Makes a database of its own for this test, with the barrier's table and the accounts. None: there is no server.
    fn open(isolation: Isolation) -> impl Future<Output = Option<Self>> + Send;

    /// Opens the same one from another process.
    fn attach(address: &str, isolation: Isolation) -> impl Future<Output = Self> + Send;

    /// Answers what `attach` needs.
    fn address(&self) -> String;

    /// Throws the database away.
    fn close(&self) -> impl Future<Output = ()> + Send;

    /// Delivers an operation to the participant once.
    fn deliver(&self, call: &Call, order: Order) -> impl Future<Output = Answer> + Send;

    /// Delivers an operation as far as a participant comes that never commits, and tells when it is that far.
    fn deliver_and_hang(
        &self,
        call: &Call,
        order: Order,
        tell: fn(),
    ) -> impl Future<Output = ()> + Send;

    fn ledger(&self, account: i64) -> impl Future<Output = Ledger> + Send;

    /// Answers whether deliveries at the same time may be told to come again.
    fn may_be_busy(&self) -> bool;
}

/// Delivers until there is an answer, as a coordinator does.
pub(crate) async fn deliver_until_answered<B: Bank>(bank: &B, call: &Call, order: Order) -> Answer {
    until_answered(bank, call, order, bank.may_be_busy()).await
}

/// The same where a purge deletes the very claims, so that any database may ask for another delivery.
pub(crate) async fn deliver_beside_a_purge<B: Bank>(bank: &B, call: &Call, order: Order) -> Answer {
    until_answered(bank, call, order, true).await
}

async fn until_answered<B: Bank>(bank: &B, call: &Call, order: Order, may_be_busy: bool) -> Answer {
    for _ in 0..DELIVERIES_MAX {
        match bank.deliver(call, order).await {
            Answer::Unknown(error) => {
                let causes = causes(&error);
                assert!(!causes.to_lowercase().contains("deadlock"), "{causes}");
                assert!(
                    may_be_busy && matches!(error, BarrierError::Busy(_)),
                    "{causes}"
                );
            }
            answer @ (Answer::Done | Answer::Skipped(_) | Answer::Refused) => return answer,
        }
    }
    panic!("no answer to {call:?} after {DELIVERIES_MAX} deliveries");
}

const DELIVERIES_MAX: usize = 10_000;

pub(crate) fn causes(error: &BarrierError) -> String {
    let mut causes = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        causes = format!("{causes}: {cause}");
        next = cause.source();
    }
    causes
}

pub(crate) fn call(gid: &str, operation: Operation) -> Call {
    Call {
        gid: Gid::parse(gid).unwrap(),
        branch_id: BranchId::parse("payment").unwrap(),
        operation,
    }
}

/// Answers the address of a server, or says on the terminal that its tests are skipped. Under `CI=true` that is a failure.
pub(crate) fn server(variable: &str) -> Option<String> {
    let address = std::env::var(variable)
        .ok()
        .filter(|address| !address.is_empty());
    if address.is_none() {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !ci,
            "{variable} is not set: `cargo xtask servers -- <command>` sets it"
        );
        // Not the macro: the runner would keep it to itself.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("SKIPPED: {variable} is not set; use `cargo xtask servers -- <command>`\n")
                .as_bytes(),
        );
    }
    address
}

/// Answers a name that no other test has.
pub(crate) fn unique_name() -> String {
    format!("seata_test_{:016x}", fastrand::u64(..))
}
