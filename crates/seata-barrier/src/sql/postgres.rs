//! PostgreSQL: `ON CONFLICT DO NOTHING`, since a violation of the key would abort the participant's transaction.

use seata_core::Operation;
use sqlx::postgres::{PgConnection, PgDatabaseError};
use sqlx::{Connection, Postgres};

use super::dialect::Dialect;
use super::rules::Inserted;
use super::{Database, Kind, PURGE_BATCH_MAX};
use crate::{BarrierError, Call};

const MIGRATION: &str = include_str!("../../../../migrations/barrier/postgres.sql");

impl Database for Postgres {}

impl Dialect for Postgres {
    /// Nothing: an insert of the same key waits for the transaction that inserted it, and for nothing else.
    async fn lock_branch(_connection: &mut PgConnection, _call: &Call) -> Result<(), BarrierError> {
        Ok(())
    }

    /// Under REPEATABLE READ a row that was committed after the transaction began is a serialisation failure, hence [`BarrierError::Busy`].
    async fn insert(
        connection: &mut PgConnection,
        call: &Call,
        operation: Operation,
    ) -> Result<Inserted, BarrierError> {
        let done = sqlx::query(
            "INSERT INTO seata_barrier (gid, branch_id, operation, claimed_by) VALUES ($1, $2, $3, $4)
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
        connection: &mut PgConnection,
        call: &Call,
        operation: Operation,
    ) -> Result<String, BarrierError> {
        let found = sqlx::query_scalar(
            "SELECT claimed_by FROM seata_barrier WHERE gid = $1 AND branch_id = $2 AND operation = $3",
        )
        .bind(call.gid.as_str())
        .bind(call.branch_id.as_str())
        .bind(operation.as_str())
        .fetch_one(connection)
        .await;
        found.map_err(super::purged_meanwhile)
    }

    /// The lock: two processes that create the same table at once fail with a violation of a key in the catalogue.
    async fn migrate(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('seata_barrier'))")
            .execute(&mut *transaction)
            .await?;
        sqlx::raw_sql(MIGRATION).execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// READ COMMITTED, whatever the pool's default is: at higher levels two purges at once fail each other.
    async fn purge_batch(
        connection: &mut PgConnection,
        older_than_secs: i64,
    ) -> Result<u64, sqlx::Error> {
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await?;
        let done = sqlx::query(
            "DELETE FROM seata_barrier WHERE (gid, branch_id, operation) IN (
                 SELECT gid, branch_id, operation FROM seata_barrier
                 WHERE claimed_at < now() - make_interval(secs => $1)
                 ORDER BY claimed_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind(older_than_secs as f64)
        .bind(PURGE_BATCH_MAX)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }
}

/// Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn kind(error: &PgDatabaseError) -> Kind {
    match error.code() {
        // Serialisation failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => Kind::Busy,
        // Undefined table.
        "42P01" => Kind::missing(error.message()),
        _ => Kind::Other,
    }
}
