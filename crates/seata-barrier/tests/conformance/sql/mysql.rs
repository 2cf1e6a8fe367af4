//! The participant on MySQL and MariaDB.

use sqlx::mysql::{MySqlConnection, MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Connection, MySql};

use super::{ACQUIRE_MAX, Sql, database, sibling};
use crate::bank::{ACCOUNTS, BALANCE, Isolation, Ledger, server, unique_name};

async fn administer(statement: String) -> Option<String> {
    let server = server("SEATA_TEST_MYSQL_DSN")?;
    let mut connection = MySqlConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(&mut connection)
        .await
        .unwrap();
    Some(server)
}

impl Sql for MySql {
    async fn create() -> Option<String> {
        let name = unique_name();
        let server = administer(format!("CREATE DATABASE {name}")).await?;
        Some(sibling(&server, &name))
    }

    async fn drop_it(address: &str) {
        let name = database(address);
        administer(format!("DROP DATABASE {name}")).await;
    }

    async fn connect(address: &str, isolation: Isolation) -> MySqlPool {
        let statement = match isolation {
            Isolation::ReadCommitted => "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Isolation::RepeatableRead => "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            Isolation::TheOne => panic!("MySQL has several"),
        };
        MySqlPoolOptions::new()
            .max_connections(12)
            .acquire_timeout(ACQUIRE_MAX)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    sqlx::query(statement).execute(connection).await?;
                    Ok(())
                })
            })
            .connect(address)
            .await
            .unwrap()
    }

    async fn make_accounts(pool: &MySqlPool) {
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
        connection: &mut MySqlConnection,
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

    async fn ledger(pool: &MySqlPool, account: i64) -> Ledger {
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

    async fn look(connection: &mut MySqlConnection) {
        let seen: i64 = sqlx::query_scalar("SELECT balance FROM account WHERE id = 1")
            .fetch_one(connection)
            .await
            .unwrap();
        assert_eq!(seen, BALANCE);
    }

    async fn count_claims(pool: &MySqlPool) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM seata_barrier")
            .fetch_one(pool)
            .await
            .unwrap()
    }

    async fn age_claims(pool: &MySqlPool, days: u32) {
        sqlx::query("UPDATE seata_barrier SET claimed_at = CURRENT_TIMESTAMP(3) - INTERVAL ? DAY")
            .bind(i64::from(days))
            .execute(pool)
            .await
            .unwrap();
    }

    async fn drop_barrier(pool: &MySqlPool) {
        sqlx::raw_sql("DROP TABLE seata_barrier")
            .execute(pool)
            .await
            .unwrap();
    }

    /// The slot is waited for at every level.
    fn may_be_busy(_isolation: Isolation) -> bool {
        false
    }

    /// Inserts and locking reads see what is, not what the snapshot saw.
    fn old_snapshot_may_be_busy(_isolation: Isolation) -> bool {
        false
    }
}
