//! Why a claim could not be made, by what can be done about it.

use std::error::Error;

/// Says why a claim could not be made. Nothing was claimed, or the coordinator can't know: answer 503, and it asks again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BarrierError {
    /// Another transaction came between: a duplicate at the same time under REPEATABLE READ, a lock that was waited for too long. Asking again is enough.
    #[error("another transaction came between; answer 503, and the operation is delivered again")]
    Busy(#[source] Box<dyn Error + Send + Sync>),
    /// The barrier's table is not there.
    #[error(
        "the barrier's table can't be used; call `seata_barrier::migrate` before the first call, or run migrations/barrier"
    )]
    NotMigrated(#[source] Box<dyn Error + Send + Sync>),
    /// The database failed, or can't be reached.
    #[error("the database failed while an operation was claimed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}
