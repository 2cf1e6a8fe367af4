//! The reference store, in memory: the contract in its plainest form, and the ground that the simulator stands on.
//!
//! It reads no clock of its own and keeps nothing across a restart. [`FaultyStore`] wraps any store and injects what
//! real ones do to us: lost replies, appends that are applied later, silence.
#![warn(missing_docs)]

mod faulty;
mod records;
mod store;

pub use faulty::{AppendFault, Faults, FaultyStore, OtherFault, StoreCall};
pub use store::{MemStore, StoreClock};
