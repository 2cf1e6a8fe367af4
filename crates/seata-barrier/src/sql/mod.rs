//! Claims in the participant's own SQL transaction. What differs between databases is in `postgres`, `mysql` and `sqlite`.
//!
//! Rows are always inserted in one order: what is undone, then what undoes it. So two deliveries never wait for each other in a circle.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod rules;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::future::Future;
use std::time::Duration;

use seata_core::Operation;
use sqlx::{Pool, Transaction};

use self::rules::{Backward, Inserted, backward, forward, undo};
use crate::plan::Plan;
use crate::{BarrierError, Call, Claim, Skip};

/// A database that can hold the barrier: `sqlx::Postgres`, `sqlx::MySql` (also MariaDB) or `sqlx::Sqlite`, each with its feature.
pub trait Database: dialect::Dialect {}

/// Claims an operation inside the participant's own transaction. Claim first, work afterwards, and work in the same database.
///
/// The transaction comes back as [`Claim::Run`] if the work is to be done. Otherwise it is ended here: committed, so that a null
/// compensation is remembered and its action kept out. If it is dropped, or the process dies, nothing was claimed.
///
/// Two deliveries at the same time: the second waits for the end of the first. The rules are those of `docs/promises.md`, P8.
///
/// # Errors
/// See [`BarrierError`]. The transaction was rolled back, or its commit got no answer; the next delivery tells.
pub async fn claim<'t, D: Database>(
    mut transaction: Transaction<'t, D>,
    call: &Call,
) -> Result<Claim<Transaction<'t, D>>, BarrierError> {
    match judge::<D>(&mut transaction, call).await? {
        None => Ok(Claim::Run(transaction)),
        Some(skip) => {
            transaction.commit().await?;
            Ok(Claim::Skip(skip))
        }
    }
}

async fn judge<D: Database>(
    connection: &mut D::Connection,
    call: &Call,
) -> Result<Option<Skip>, BarrierError> {
    D::lock_branch(connection, call).await?;
    let own = call.operation;
    match Plan::of(own) {
        Plan::Forward => match D::insert(connection, call, own).await? {
            Inserted::New => Ok(None),
            Inserted::Exists => {
                let claimed_by = D::claimed_by(connection, call, own).await?;
                Ok(Some(forward(own, &claimed_by)))
            }
        },
        Plan::Backward { undone } => {
            let first = D::insert(connection, call, undone).await?;
            let second = D::insert(connection, call, own).await?;
            match backward(first, second) {
                Backward::Skip(skip) => Ok(Some(skip)),
                Backward::AskWhoClaimed => {
                    let claimed_by = D::claimed_by(connection, call, undone).await?;
                    Ok(undo(undone, &claimed_by))
                }
            }
        }
        Plan::Alone => match D::insert(connection, call, own).await? {
            Inserted::New => Ok(None),
            Inserted::Exists => Ok(Some(Skip::Duplicate)),
        },
    }
}

/// Makes the barrier's table. Safe to run at each start, also by several processes at once.
///
/// The statements are those of `migrations/barrier`, for those who let another tool run them.
///
/// # Errors
/// The database can't be reached, or doesn't allow it.
pub async fn migrate<D: Database>(pool: &Pool<D>) -> Result<(), BarrierError> {
    let mut connection = pool.acquire().await?;
    Ok(D::migrate(&mut connection).await?)
}

/// Deletes claims that are older than `older_than` by the database's clock, and answers how many.
///
/// A claim must outlive every delivery that may still come. So `older_than` is at least the coordinator's retention plus the longest
/// time for which a transaction may be open, stuck ones included. **A claim that goes too early lets its action run a second time, and
/// makes its compensation undo nothing.**
///
/// It works in batches of some hundred rows, each a transaction of its own, until nothing is left that old.
///
/// # Errors
/// The database failed. What was deleted stays deleted; run it again.
pub async fn purge<D: Database>(pool: &Pool<D>, older_than: Duration) -> Result<u64, BarrierError> {
    let seconds = i64::try_from(older_than.as_secs())
        .unwrap_or(i64::MAX)
        .min(AGE_SECS_MAX);
    let mut purged = 0;
    loop {
        let mut connection = pool.acquire().await?;
        let batch = D::purge_batch(&mut connection, seconds).await?;
        purged += batch;
        if batch == 0 {
            return Ok(purged);
        }
    }
}

/// The longest age, in seconds: a hundred years. Databases can't count back further.
const AGE_SECS_MAX: i64 = 100 * 366 * 24 * 60 * 60;

/// The most rows that one transaction of a purge deletes.
const PURGE_BATCH_MAX: i64 = 500;

/// Out of reach, so that [`Database`] is for our databases alone.
pub(crate) mod dialect {
    use super::{BarrierError, Call, Future, Inserted, Operation};

    /// What differs between databases.
    pub trait Dialect: sqlx::Database {
        /// Makes later deliveries of this branch wait, where the inserts alone don't do it well.
        fn lock_branch(
            connection: &mut Self::Connection,
            call: &Call,
        ) -> impl Future<Output = Result<(), BarrierError>> + Send;

        /// Inserts the row of `operation` on behalf of the call, unless the unique key says that it is there.
        fn insert(
            connection: &mut Self::Connection,
            call: &Call,
            operation: Operation,
        ) -> impl Future<Output = Result<Inserted, BarrierError>> + Send;

        /// Answers who inserted the row of `operation`, as it is now and not as it was when the transaction began.
        fn claimed_by(
            connection: &mut Self::Connection,
            call: &Call,
            operation: Operation,
        ) -> impl Future<Output = Result<String, BarrierError>> + Send;

        /// Makes the table.
        fn migrate(
            connection: &mut Self::Connection,
        ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

        /// Deletes at most [`super::PURGE_BATCH_MAX`] rows and answers how many.
        fn purge_batch(
            connection: &mut Self::Connection,
            older_than_secs: i64,
        ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
    }
}

/// Sorts what a database says by what can be done about it.
impl From<sqlx::Error> for BarrierError {
    fn from(error: sqlx::Error) -> Self {
        let kind = error.as_database_error().map_or(Kind::Other, Kind::of);
        match kind {
            Kind::Busy => Self::Busy(error.into()),
            Kind::NoTable => Self::NotMigrated(error.into()),
            Kind::Other => Self::Database(error.into()),
        }
    }
}

enum Kind {
    Busy,
    NoTable,
    Other,
}

impl Kind {
    /// A table is missing: ours, or one of the participant's own.
    fn missing(message: &str) -> Self {
        if message.contains("seata_barrier") {
            Self::NoTable
        } else {
            Self::Other
        }
    }

    fn of(error: &(dyn sqlx::error::DatabaseError + 'static)) -> Self {
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return mysql::kind(error);
        }
        #[cfg(feature = "postgres")]
        if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            return postgres::kind(error);
        }
        #[cfg(feature = "sqlite")]
        if let Some(error) = error.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
            return sqlite::kind(error);
        }
        Self::Other
    }
}

/// A row that the unique key saw and that is gone: a purge deleted it. The next delivery finds a clear state.
fn purged_meanwhile(error: sqlx::Error) -> BarrierError {
    if matches!(error, sqlx::Error::RowNotFound) {
        BarrierError::Busy(error.into())
    } else {
        error.into()
    }
}
