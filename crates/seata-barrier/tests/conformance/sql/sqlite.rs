//! The participant on SQLite: a file, and no server.

use std::path::Path;
use std::time::Duration;

use sqlx::Sqlite;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
};

use super::{ACQUIRE_MAX, Sql};
use crate::bank::{ACCOUNTS, BALANCE, Isolation, Ledger, unique_name};

impl Sql for Sqlite {
    async fn create() -> Option<String> {
        let folder = tempfile::Builder::new()
            .prefix(&unique_name())
            .tempdir()
            .unwrap();
        Some(
            folder
                .keep()
                .join("ledger.db")
                .to_string_lossy()
                .into_owned(),
        )
    }

    async fn drop_it(address: &str) {
        std::fs::remove_dir_all(Path::new(address).parent().unwrap()).unwrap();
    }

    async fn connect(address: &str, _isolation: Isolation) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(address)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(60));
        SqlitePoolOptions::new()
            .max_connections(12)
            .acquire_timeout(ACQUIRE_MAX)
            .connect_with(options)
            .await
            .unwrap()
    }

    async fn make_accounts(pool: &SqlitePool) {
        sqlx::raw_sql(
            "CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL, reserved BIGINT NOT NULL, spent BIGINT NOT NULL)",
        )
        .execute(pool)
        .await
        .unwrap();
        for id in 1..=ACCOUNTS {
            sqlx::query("INSERT INTO account (id, balance, reserved, spent) VALUES (?, ?, 0, 0)")
                .bind(id)
                .bind(BALANCE)
                .execute(pool)
                .await
                .unwrap();
        }
    }

    async fn change(
        connection: &mut SqliteConnection,
        account: i64,
        by: Ledger,
    ) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE account SET balance = balance + ?, reserved = reserved + ?, spent = spent + ?
             WHERE id = ? AND balance + ? >= 0 AND reserved + ? >= 0 AND spent + ? >= 0",
        )
        .bind(by.balance)
        .bind(by.reserved)
        .bind(by.spent)
        .bind(account)
        .bind(by.balance)
        .bind(by.reserved)
        .bind(by.spent)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }

    async fn ledger(pool: &SqlitePool, account: i64) -> Ledger {
        let (balance, reserved, spent) =
            sqlx::query_as("SELECT balance, reserved, spent FROM account WHERE id = ?")
                .bind(account)
                .fetch_one(pool)
                .await
                .unwrap();
        Ledger {
            balance,
            reserved,
            spent,
        }
    }

    async fn look(connection: &mut SqliteConnection) {
        let seen: i64 = sqlx::query_scalar("SELECT balance FROM account WHERE id = 1")
            .fetch_one(connection)
            .await
            .unwrap();
        assert_eq!(seen, BALANCE);
    }

    async fn count_claims(pool: &SqlitePool) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM seata_barrier")
            .fetch_one(pool)
            .await
            .unwrap()
    }

    async fn age_claims(pool: &SqlitePool, days: u32) {
        sqlx::query("UPDATE seata_barrier SET claimed_at = CAST(strftime('%s', 'now') AS INTEGER) - ? * 86400")
            .bind(i64::from(days))
            .execute(pool)
            .await
            .unwrap();
    }

    async fn drop_barrier(pool: &SqlitePool) {
        sqlx::raw_sql("DROP TABLE seata_barrier")
            .execute(pool)
            .await
            .unwrap();
    }

    /// The writer is waited for, for as long as the busy timeout says.
    fn may_be_busy(_isolation: Isolation) -> bool {
        false
    }

    /// A reader whose snapshot is old can't become the writer.
    fn old_snapshot_may_be_busy(_isolation: Isolation) -> bool {
        true
    }
}
