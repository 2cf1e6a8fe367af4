//! A bank: accounts in SQLite, behind the barrier. It is a participant like any other service, with two endpoints.
//!
//! Each operation claims its row of the barrier in the database transaction of its work. So each takes effect once,
//! however often it is delivered, and an operation that comes after it was undone takes none.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use seata_barrier::{BarrierError, Call, Claim, Operation, claim, migrate};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Executor, Sqlite, SqlitePool, Transaction};
use tokio::net::TcpListener;

/// How long one writer waits for another: SQLite has one at a time.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY,
    balance INTEGER NOT NULL CHECK (balance >= 0),
    held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0)
)";

/// What a call carries: one side of a transfer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Whose account.
    pub account: String,
    /// How much, in whole units.
    pub amount: i64,
}

/// What a customer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What can be spent.
    pub balance: i64,
    /// What is reserved for transfers on their way.
    pub held: i64,
}

/// A bank.
#[derive(Clone)]
pub struct Bank {
    pool: SqlitePool,
    guard: Guard,
}

/// What stands before the work of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The barrier, as it should be.
    Barrier,
    /// Nothing: to see what goes wrong then.
    Nothing,
}

/// Why an operation was not done.
enum NotDone {
    /// For good: 409.
    Refused(&'static str),
    /// For now: 503, and the coordinator asks again.
    Broken(BarrierError),
}

impl<E: Into<BarrierError>> From<E> for NotDone {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

impl IntoResponse for NotDone {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(why) => (StatusCode::CONFLICT, why).into_response(),
            Self::Broken(error) => error.into_response(),
        }
    }
}

impl Bank {
    /// Opens the bank whose database is this file, and makes it if it is not there.
    ///
    /// # Errors
    /// The file can't be used.
    pub async fn open(file: &Path, guard: Guard) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await?;
        pool.execute(SCHEMA).await?;
        migrate(&pool).await?;
        Ok(Self { pool, guard })
    }

    /// Gives a customer this balance and nothing held.
    ///
    /// # Errors
    /// The database fails.
    pub async fn set(&self, account: &str, balance: i64) -> Result<()> {
        let statement = "INSERT INTO account (name, balance) VALUES (?, ?)
            ON CONFLICT (name) DO UPDATE SET balance = excluded.balance, held = 0";
        sqlx::query(statement)
            .bind(account)
            .bind(balance)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Answers what a customer has.
    ///
    /// # Errors
    /// There is no such customer, or the database fails.
    pub async fn balance(&self, account: &str) -> Result<Balance> {
        let (balance, held) = sqlx::query_as("SELECT balance, held FROM account WHERE name = ?")
            .bind(account)
            .fetch_one(&self.pool)
            .await
            .with_context(|| format!("reading the account of {account}"))?;
        Ok(Balance { balance, held })
    }

    async fn begin(
        &self,
        call: &Call,
    ) -> Result<Claim<Transaction<'static, Sqlite>>, BarrierError> {
        let transaction = self.pool.begin().await?;
        match self.guard {
            Guard::Barrier => claim(transaction, call).await,
            Guard::Nothing => Ok(Claim::Run(transaction)),
        }
    }

    /// Serves the endpoints `/debit` and `/credit` on a free port, and answers its URL. It runs until the process ends.
    ///
    /// # Errors
    /// There is no free port.
    pub async fn serve(&self) -> Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .route("/debit", post(debit))
            .route("/credit", post(credit))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(url)
    }
}

/// The side that gives.
async fn debit(
    State(bank): State<Bank>,
    call: Call,
    Json(entry): Json<Entry>,
) -> Result<Response, NotDone> {
    let statement = match call.operation {
        Operation::Action => {
            "UPDATE account SET balance = balance - ?2 WHERE name = ?1 AND balance >= ?2"
        }
        Operation::Compensation => "UPDATE account SET balance = balance + ?2 WHERE name = ?1",
        Operation::Try => {
            "UPDATE account SET balance = balance - ?2, held = held + ?2 WHERE name = ?1 AND balance >= ?2"
        }
        Operation::Confirm => "UPDATE account SET held = held - ?2 WHERE name = ?1",
        Operation::Cancel => {
            "UPDATE account SET balance = balance + ?2, held = held - ?2 WHERE name = ?1"
        }
    };
    once(
        &bank,
        &call,
        &entry,
        statement,
        "the account has not enough money",
    )
    .await
}

/// The side that gets.
async fn credit(
    State(bank): State<Bank>,
    call: Call,
    Json(entry): Json<Entry>,
) -> Result<Response, NotDone> {
    let statement = match call.operation {
        Operation::Action | Operation::Confirm => {
            "UPDATE account SET balance = balance + ?2 WHERE name = ?1"
        }
        Operation::Compensation => "UPDATE account SET balance = balance - ?2 WHERE name = ?1",
        // Nothing to reserve: it is enough that the account is there.
        Operation::Try | Operation::Cancel => "UPDATE account SET held = held WHERE name = ?1",
    };
    once(&bank, &call, &entry, statement, "there is no such account").await
}

/// Does the work of a call once: claim and work are one database transaction. What changes no account is refused.
async fn once(
    bank: &Bank,
    call: &Call,
    entry: &Entry,
    statement: &'static str,
    refusal: &'static str,
) -> Result<Response, NotDone> {
    let mut transaction = match bank.begin(call).await? {
        Claim::Run(transaction) => transaction,
        Claim::Skip(skip) => return Ok(skip.into_response()),
    };
    if changed(&mut transaction, entry, statement).await? == 0 {
        // Rolled back as it is dropped: then nothing was claimed, and nothing happened.
        return Err(NotDone::Refused(refusal));
    }
    transaction.commit().await?;
    Ok(StatusCode::OK.into_response())
}

async fn changed(
    connection: &mut SqliteConnection,
    entry: &Entry,
    statement: &'static str,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(statement)
        .bind(&entry.account)
        .bind(entry.amount)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
