//! What the server does, each behaviour by name. Several are cases that other coordinators get wrong.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod answers;
mod configuration;
mod full_disk;
mod keeping;
mod observing;
mod operators;
mod requests;
mod routes;
mod sagas;
mod secrets;
mod stopping;
mod torn_tails;
mod watching;
