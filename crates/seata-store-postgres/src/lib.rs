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

pub use migrate::Migrated;
pub use options::PostgresOptions;
pub use store::PostgresStore;
