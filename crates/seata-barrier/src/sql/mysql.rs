//! MySQL and MariaDB: deliveries of one branch queue at a row of `seata_barrier_slot`, then the unique key judges.
//!
//! Without the queue they would wait for each other at the inserted row. When the first then rolls back, InnoDB turns the waiting
//! locks of *all* the others into locks of the gap, each keeps the others from inserting, and all but one end as victims of a
//! deadlock, under READ COMMITTED too (<https://dev.mysql.com/doc/refman/8.4/en/innodb-locks-set.html>). A row that exists can be
//! waited for without that.

use seata_core::Operation;
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::{Connection, MySql};

use super::dialect::Dialect;
use super::rules::Inserted;
use super::{Database, Kind, PURGE_BATCH_MAX};
use crate::plan::Plan;
use crate::{BarrierError, Call};

const MIGRATION: &str = include_str!("../../../../migrations/barrier/mysql.sql");

impl Database for MySql {}

impl Dialect for MySql {
    /// 4096 slots: with a hundred local transactions at once, about one in forty meets a stranger in its slot.
    async fn lock_branch(
        connection: &mut MySqlConnection,
        call: &Call,
    ) -> Result<(), BarrierError> {
        let locked: Result<u16, sqlx::Error> = sqlx::query_scalar(
            "SELECT slot FROM seata_barrier_slot WHERE slot = CRC32(CONCAT(?, '/', ?)) MOD 4096 FOR UPDATE",
        )
        .bind(call.gid.as_str())
        .bind(call.branch_id.as_str())
        .fetch_one(connection)
        .await;
        match locked {
            Ok(_slot) => Ok(()),
            Err(error @ sqlx::Error::RowNotFound) => Err(BarrierError::NotMigrated(error.into())),
            Err(error) => Err(error.into()),
        }
    }

    /// `IGNORE` would swallow other errors too. A plain insert locks a row that exists for reading and then, if a purge has deleted
    /// it, for writing: with the purge waiting in between, a deadlock. This one locks it for writing at once.
    ///
    /// An insert counts as one row and a change as two. Counting the claims makes it a change: one that alters nothing also counts as
    /// one, since sqlx asks for matched rows.
    async fn insert(
        connection: &mut MySqlConnection,
        call: &Call,
        operation: Operation,
    ) -> Result<Inserted, BarrierError> {
        let done = sqlx::query(
            "INSERT INTO seata_barrier (gid, branch_id, operation, claimed_by) VALUES (?, ?, ?, ?)
             ON DUPLICATE KEY UPDATE claims = claims + 1",
        )
        .bind(call.gid.as_str())
        .bind(call.branch_id.as_str())
        .bind(operation.as_str())
        .bind(call.operation.as_str())
        .execute(connection)
        .await?;
        Ok(match done.rows_affected() {
            1 => Inserted::New,
            _ => Inserted::Exists,
        })
    }

    /// The insert has counted in that row, so that even an old snapshot shows it as it is.
    async fn claimed_by(
        connection: &mut MySqlConnection,
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

    async fn migrate(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(MIGRATION).execute(connection).await?;
        Ok(())
    }

    /// Reads the keys without locks, then deletes them one by one by their key: under READ COMMITTED that locks no gap.
    ///
    /// First what is undone, then what undoes it, as claims insert: so a purge and a claim never wait for each other in a circle.
    async fn purge_batch(
        connection: &mut MySqlConnection,
        older_than_secs: i64,
    ) -> Result<u64, sqlx::Error> {
        sqlx::query("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .execute(&mut *connection)
            .await?;
        let mut transaction = connection.begin().await?;
        let mut keys: Vec<Key> = sqlx::query_as(
            "SELECT gid, branch_id, operation FROM seata_barrier
             WHERE claimed_at < CURRENT_TIMESTAMP(3) - INTERVAL ? SECOND ORDER BY claimed_at LIMIT ?",
        )
        .bind(older_than_secs)
        .bind(PURGE_BATCH_MAX)
        .fetch_all(&mut *transaction)
        .await?;
        keys.sort_by(|left, right| order(left).cmp(&order(right)));
        let mut purged = 0;
        for (gid, branch_id, operation) in keys {
            let done = sqlx::query(
                "DELETE FROM seata_barrier WHERE gid = ? AND branch_id = ? AND operation = ?",
            )
            .bind(gid)
            .bind(branch_id)
            .bind(operation)
            .execute(&mut *transaction)
            .await?;
            purged += done.rows_affected();
        }
        transaction.commit().await?;
        Ok(purged)
    }
}

type Key = (String, String, String);

/// Rows that a claim inserts first come first, and two purges at once take the same order.
fn order((gid, branch_id, operation): &Key) -> (bool, &str, &str, &str) {
    let is_second = match Operation::parse(operation).map(Plan::of) {
        Some(Plan::Forward) => false,
        Some(Plan::Backward { .. } | Plan::Alone) | None => true,
    };
    (is_second, gid, branch_id, operation)
}

/// Numbers: <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>.
pub(super) fn kind(error: &MySqlDatabaseError) -> Kind {
    match error.number() {
        // Deadlock, lock wait timeout, and MariaDB's "record has changed since last read".
        1213 | 1205 | 1020 => Kind::Busy,
        // No such table.
        1146 => Kind::missing(error.message()),
        _ => Kind::Other,
    }
}
