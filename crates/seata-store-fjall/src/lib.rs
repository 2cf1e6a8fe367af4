//! The embedded default store on fjall, a log-structured store: one folder, no setup.
//!
//! A batch of appends is one value in a log, written with one `fdatasync`. What the log says is moved later, many
//! transactions at a time: ended ones to one keyspace, a record each, open ones to another, a chunk per append. What is
//! open is indexed in memory and the index is rebuilt at open. One process owns the folder, so its lock is the lease: at
//! open all leases are void.
//!
//! A write or sync error is fatal and never retried: the pages may be gone. Damage is refused, never skipped.
#![warn(missing_docs)]

mod active;
mod claim;
mod clock;
mod damage;
mod index;
mod layout;
mod list;
mod log;
mod memory;
mod open;
mod read;
mod rebuild;
mod settle;
mod settler;
mod starts;
mod store;
mod tables;
mod waiting;
mod write;

pub use open::{FjallOptions, OpenError};
pub use store::{FjallStore, Room};

#[cfg(test)]
mod tests;
