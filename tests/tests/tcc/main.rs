//! TCC through the built server, each behaviour by name. Several are cases that other coordinators get wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

mod completion;
mod crashes;
mod decisions;
mod refusals;
mod stuck;
mod tries;
