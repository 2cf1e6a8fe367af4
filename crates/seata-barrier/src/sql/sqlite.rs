//! SQLite: one writer at a time, so the inserts alone are enough.

use seata_core::Operation;
use sqlx::error::DatabaseError;
use sqlx::sqlite::{SqliteConnection, SqliteError};
use sqlx::{Connection, Sqlite};

use super::dialect::Dialect;
use super::rules::Inserted;
use super::{Database, Kind, PURGE_BATCH_MAX};
use crate::{BarrierError, Call};

const MIGRATION: &str = include_str!("../../../../migrations/barrier/sqlite.sql");

impl Database for Sqlite {}

impl Dialect for Sqlite {
    /// Nothing: the first insert takes the lock of the whole database.
    async fn lock_branch(
        _connection: &mut SqliteConnection,
        _call: &Call,
    ) -> Result<(), BarrierError> {
        Ok(())
    }

    async fn insert(
        connection: &mut SqliteConnection,
        call: &Call,
        operation: Operation,
    ) -> Result<Inserted, BarrierError> {
        let done = sqlx::query(
            "INSERT INTO seata_barrier (gid, branch_id, operation, claimed_by) VALUES (?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )
        .bind(call.gid.as_str())
        .bind(call.branch_id.as_str())
        .bind(operation.as_str())
        .bind(call.operation.as_str())
        .execute(connection)
        .await?;
        Ok(match done.rows_affected() {
            0 => Inserted::Exists,
            _ => Inserted::New,
        })
    }

    async fn claimed_by(
        connection: &mut SqliteConnection,
        call: &Call,
        operation: Operation,
    ) -> Result<String, BarrierError> {
        let found = sqlx::query_scalar(
            "SELECT claimed_by FROM seata_barrier WHERE gid = ? AND branch_id = ? AND operation = ?",
        )
        .bind(call.gid.as_str())
        .bind(call.branch_id.as_str())
        .bind(operation.as_str())
        .fetch_one(connection)
        .await;
        found.map_err(super::purged_meanwhile)
    }

    async fn migrate(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        // Writes from its first statement on: a reader that wants to write later is refused instead of waiting.
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    async fn purge_batch(
        connection: &mut SqliteConnection,
        older_than_secs: i64,
    ) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "DELETE FROM seata_barrier WHERE (gid, branch_id, operation) IN (
                 SELECT gid, branch_id, operation FROM seata_barrier
                 WHERE claimed_at < CAST(strftime('%s', 'now') AS INTEGER) - ?
                 ORDER BY claimed_at LIMIT ?)",
        )
        .bind(older_than_secs)
        .bind(PURGE_BATCH_MAX)
        .execute(connection)
        .await?;
        Ok(done.rows_affected())
    }
}

/// Codes: <https://www.sqlite.org/rescode.html>. The low byte is the primary one.
pub(super) fn kind(error: &SqliteError) -> Kind {
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    match code.map(|code| code & 0xff) {
        // SQLITE_BUSY, SQLITE_LOCKED.
        Some(5 | 6) => Kind::Busy,
        // SQLITE_ERROR: there is no code of its own for a missing table.
        Some(1) if error.message().starts_with("no such table") => Kind::missing(error.message()),
        _ => Kind::Other,
    }
}
