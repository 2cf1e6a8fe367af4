//! The participant on SQL databases: what it does is the same on all of them, and here.

use std::future::Future;
use std::time::Duration;

use seata_barrier::{BarrierError, Call, Claim, Database, claim};
use sqlx::{Pool, Transaction};

use crate::bank::{Answer, Bank, Ending, Isolation, Ledger, Order};

/// How long a connection may be waited for: what many do at once takes its time on a busy machine.
pub(crate) const ACQUIRE_MAX: Duration = Duration::from_secs(600);

/// The statements of a participant, and of the tests, in the words of each database.
pub(crate) trait Sql: Database {
    /// Makes an empty database, and answers its address. None: there is no server.
    fn create() -> impl Future<Output = Option<String>> + Send;
    fn drop_it(address: &str) -> impl Future<Output = ()> + Send;
    fn connect(address: &str, isolation: Isolation) -> impl Future<Output = Pool<Self>> + Send;
    fn make_accounts(pool: &Pool<Self>) -> impl Future<Output = ()> + Send;
    /// Changes the account, unless one of its places would be overdrawn. Answers how many rows were changed.
    fn change(
        connection: &mut Self::Connection,
        account: i64,
        by: Ledger,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
    fn ledger(pool: &Pool<Self>, account: i64) -> impl Future<Output = Ledger> + Send;
    /// Reads an account inside the transaction, which under REPEATABLE READ fixes what the transaction sees.
    fn look(connection: &mut Self::Connection) -> impl Future<Output = ()> + Send;
    fn count_claims(pool: &Pool<Self>) -> impl Future<Output = i64> + Send;
    /// Makes all claims older.
    fn age_claims(pool: &Pool<Self>, days: u32) -> impl Future<Output = ()> + Send;
    fn drop_barrier(pool: &Pool<Self>) -> impl Future<Output = ()> + Send;
    fn may_be_busy(isolation: Isolation) -> bool;
    /// Answers whether a claim in a transaction that looked before may be told to come again.
    fn old_snapshot_may_be_busy(isolation: Isolation) -> bool;
}

pub(crate) struct SqlBank<D: Sql> {
    pub(crate) pool: Pool<D>,
    address: String,
    isolation: Isolation,
}

impl<D: Sql> SqlBank<D> {
    pub(crate) fn old_snapshot_may_be_busy(&self) -> bool {
        D::old_snapshot_may_be_busy(self.isolation)
    }

    /// Claims and works, and answers the transaction for somebody to end.
    async fn begin(&self, call: &Call, order: Order) -> Result<Begun<D>, BarrierError> {
        let mut transaction = match claim(self.pool.begin().await?, call).await? {
            Claim::Run(transaction) => transaction,
            Claim::Skip(skip) => return Ok(Begun::Answered(Answer::Skipped(skip))),
        };
        let change = Ledger::change(call.operation, order.amount);
        if D::change(&mut transaction, order.account, change).await? == 0 {
            transaction.rollback().await?;
            return Ok(Begun::Answered(Answer::Refused));
        }
        Ok(Begun::Worked(transaction))
    }

    async fn attempt(&self, call: &Call, order: Order) -> Result<Answer, BarrierError> {
        match (self.begin(call, order).await?, order.ending) {
            (Begun::Answered(answer), Ending::Commit | Ending::Abandon) => Ok(answer),
            (Begun::Worked(transaction), Ending::Commit) => {
                transaction.commit().await?;
                Ok(Answer::Done)
            }
            (Begun::Worked(transaction), Ending::Abandon) => {
                drop(transaction);
                Ok(Answer::Refused)
            }
        }
    }
}

enum Begun<D: Sql> {
    Answered(Answer),
    Worked(Transaction<'static, D>),
}

impl<D: Sql> Bank for SqlBank<D> {
    async fn open(isolation: Isolation) -> Option<Self> {
        let address = D::create().await?;
        let bank = Self::attach(&address, isolation).await;
        seata_barrier::migrate(&bank.pool).await.unwrap();
        D::make_accounts(&bank.pool).await;
        Some(bank)
    }

    async fn attach(address: &str, isolation: Isolation) -> Self {
        Self {
            pool: D::connect(address, isolation).await,
            address: address.to_owned(),
            isolation,
        }
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    async fn close(&self) {
        self.pool.close().await;
        D::drop_it(&self.address).await;
    }

    async fn deliver(&self, call: &Call, order: Order) -> Answer {
        let answer = self.attempt(call, order).await;
        answer.unwrap_or_else(Answer::Unknown)
    }

    async fn deliver_and_hang(&self, call: &Call, order: Order, tell: fn()) {
        match self.begin(call, order).await.unwrap() {
            Begun::Answered(answer) => panic!("answered before the work: {answer:?}"),
            Begun::Worked(transaction) => {
                tell();
                std::future::pending::<()>().await;
                drop(transaction);
            }
        }
    }

    async fn ledger(&self, account: i64) -> Ledger {
        D::ledger(&self.pool, account).await
    }

    fn may_be_busy(&self) -> bool {
        D::may_be_busy(self.isolation)
    }
}

pub(crate) mod mysql;
pub(crate) mod postgres;
pub(crate) mod sqlite;

/// Answers the address of another database on the same server.
fn sibling(server: &str, name: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap();
    let authority = rest.split(['/', '?']).next().unwrap();
    let query = rest.split_once('?').map(|(_, query)| format!("?{query}"));
    format!("{scheme}://{authority}/{name}{}", query.unwrap_or_default())
}

/// Answers the name of the database that an address ends with.
fn database(address: &str) -> &str {
    let (_, path) = address.rsplit_once('/').unwrap();
    path.split('?').next().unwrap()
}
