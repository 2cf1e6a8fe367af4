//! What the server does, each behaviour by name. Several are cases that other coordinators get wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod configuration;
mod keeping;
mod observing;
mod operators;
mod requests;
mod routes;
mod sagas;
mod secrets;
mod stopping;
mod watching;
