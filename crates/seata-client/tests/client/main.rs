//! The client against a coordinator that is a script: what it sends, what it reads, what it sends again.
#![allow(clippy::unwrap_used, reason = "tests")]

mod coordinator;
mod repeats;
mod sagas;
mod tccs;
mod watches;
