//! Simulates coordinators on a virtual clock: the real core and engine, a store in memory, participants, clients and a
//! network that fail by seed, all in one thread.
//!
//! One seed is one run: faults for a while, then healing, then the last questions. An oracle watches from outside, at
//! the participants, at the clients and at the store, and says which promise of docs/promises.md was broken. The same seed
//! gives the same run, event by event. Nothing here asserts anything inside the engine.
//!
//! `plan` draws a run, `world` holds what is outside of the servers, `process` is one server, `network`, `store`,
//! `participant`, `client` and `operator` are who they talk to, `oracle` judges, `run` plays it all.
#![warn(missing_docs)]

mod client;
mod dice;
mod failures;
mod faults;
mod many;
mod network;
mod operator;
mod oracle;
mod outage;
mod panics;
mod participant;
mod plan;
mod process;
mod report;
mod run;
mod store;
mod trace;
mod world;

pub use faults::{Counts, Deed, Fault, Stray, Takeover};
pub use many::run_many;
pub use oracle::{Promise, Violation};
pub use report::Report;
pub use run::{Outcome, run};
pub use trace::Keep;
