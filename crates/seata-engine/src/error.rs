//! Why the engine could not do what a caller asked.

use std::time::Duration;

use seata_core::{Gid, Rejection};

use crate::snapshot::Snapshot;

/// Why a request changed nothing, or why nobody can say yet.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No transaction has this gid.
    #[error("no transaction {gid}")]
    NotFound {
        /// The name asked for.
        gid: Gid,
    },
    /// The gid is taken by a transaction with other content.
    #[error(
        "transaction {gid} exists with other content: choose another gid, or send the same content again"
    )]
    GidConflict {
        /// The name.
        gid: Gid,
        /// What stands there.
        present: Box<Snapshot>,
    },
    /// The request is wrong for the state as it is, or in itself.
    #[error("{rejection}")]
    Rejected {
        /// Why.
        rejection: Rejection,
        /// The state as it is, if there is one.
        present: Option<Box<Snapshot>>,
    },
    /// More branches than allowed.
    #[error("a transaction may have at most {max} branches")]
    TooManyBranches {
        /// The bound.
        max: usize,
    },
    /// A bound is reached: try again later.
    #[error("{what} is full: try again later")]
    Overloaded {
        /// Which bound.
        what: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The store can't be reached, or hasn't said whether it took the append: ask again with the same gid.
    #[error("the store did not take it for sure: send the same request again later")]
    StoreUnavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is nearly full: new work is refused while open work goes on.
    #[error("the store is nearly full: free some disk space; open transactions go on")]
    StoreFull,
    /// The server is stopping: another instance, or this one after its restart, takes it.
    #[error("the server is stopping: send the same request again to another instance, or later")]
    Stopping,
    /// The record can't be read by this server. An operator must look.
    #[error("the record of transaction {gid} can't be read by this server: see its log")]
    Unreadable {
        /// The name.
        gid: Gid,
    },
    /// The record would grow beyond what the store takes.
    #[error("the transaction would become larger than the store takes")]
    TooLarge,
}
