//! Keeps transactions in PostgreSQL, and in what speaks it.
#![warn(missing_docs)]

mod append;
mod batch;
mod connection;
mod error;
mod layout;
mod lease;
mod migrate;
mod open;
mod options;
mod purge;
mod read;
mod store;

#[cfg(test)]
extern crate self as seata_store_postgres;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "tests/plans.rs"]
mod plans;

pub use migrate::Migrated;
pub use options::PostgresOptions;
pub use store::PostgresStore;
