//! Runs global transactions: one turn after the other per transaction, many at once.
//!
//! A turn is input → `seata-core` decides → the store appends → effects. The engine owns the traits [`Caller`] (one
//! attempt at one branch) and [`Clock`]; it is the only crate that spawns tasks or reads a clock. It knows no wire, no
//! status code and no SQL.
#![warn(missing_docs)]

mod admission;
mod branches;
mod caller;
mod config;
mod content;
mod driver;
mod ended;
mod engine;
mod error;
mod host;
mod journal;
mod lease;
mod looking;
mod mailbox;
mod meters;
mod outage;
mod panics;
mod pinging;
mod purging;
mod registry;
mod shared;
mod snapshot;
mod stopping;
mod tasks;
mod telling;
mod time;
mod unsettled;
mod waiters;
mod watch;
mod weight;

pub use caller::{Call, Caller, Slot};
pub use config::Config;
pub use engine::{Engine, Health, StoreRoom};
pub use error::EngineError;
pub use host::{Clock, SystemClock, Task};
pub use snapshot::{Completion, Order, Snapshot, Tried, TryAnswer, Waited};
pub use watch::{Change, Changes, Lagged};
