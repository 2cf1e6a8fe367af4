//! The embedded default store on fjall, a log-structured store: one folder, no setup.
//!
//! Open transactions live in one keyspace, a chunk per append; ended ones in another, a record each. What is open is
//! indexed in memory and the index is rebuilt at open, so that a two-append transaction costs five small writes. One
//! batch is one `fdatasync`. One process owns the folder, so its lock is the lease: at open all leases are void.
//!
//! A write or sync error is fatal and never retried: the pages may be gone. Damage is refused, never skipped.
#![warn(missing_docs)]

mod clock;
mod damage;
mod index;
mod kept;
mod layout;
mod open;
mod read;
mod starts;
mod store;
mod tables;
mod write;

pub use open::{FjallOptions, OpenError};
pub use store::{FjallStore, Room};

#[cfg(test)]
mod tests;
