//! The storage contract: what the coordinator asks of a store, and what a store may not do.
//!
//! An adapter keeps a small [`Header`] and opaque chunks of events per transaction. It never interprets events, never
//! retries, and never decides: it applies a conditional append or says why not. Whoever writes an adapter implements
//! [`TxnStore`] and runs the suite `seata-store-conformance` on it.
#![warn(missing_docs)]

mod append;
pub mod code;
mod error;
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
#[path = "generated/seata.store.v1.rs"]
mod generated;
mod header;
mod list;
mod open;
pub mod record;
mod store;
mod writes;

pub use append::{Append, AppendOutcome, Chunk, Expected, LeaseChange, Refusal};
pub use error::{StoreError, StoreErrorKind};
pub use header::{Header, Owner, Revision, Stored};
pub use list::{Cursor, ListQuery, PAGE_MAX, Page, SCAN_MAX};
pub use open::{Migrate, Migrated, Shard};
pub use seata_core::{FencingToken, Gid, Mode, Status, UnixMillis};
pub use store::{ClaimLimit, Held, StoreLimits, TxnStore};
pub use writes::{Writes, Writing};
