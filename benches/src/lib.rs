//! Measures the coordinator against a *null coordinator* in one run: two processes with the same client, the same
//! participants and the same machine, one of which keeps no state.
//!
//! It starts every part as a process of its own and reads what they cost from `/proc`. It uses no crate of the server: it
//! sees the server as its users do. It asserts no time; a run in which a transaction is lost or doubled fails.
#![warn(missing_docs)]

mod aims;
mod author;
mod backing;
mod branches;
mod calls;
mod case;
mod coordinator;
mod dtmrs;
mod figures;
mod flushes;
mod gid;
mod growth;
mod house;
mod lane;
mod load;
mod loader;
mod metrics;
mod null;
mod open;
mod order;
mod overload;
mod pace;
mod part;
mod participants;
mod process;
mod procfs;
mod report;
mod roles;
mod rounds;
mod run;
mod runner;
mod running;
mod scratch;
mod script;
mod serve;
mod server;
mod start;
mod stub;
mod syncs;
mod table;
mod verify;
mod wire;

pub use roles::Role;
pub use runner::{Options, run};
