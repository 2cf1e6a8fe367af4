//! What only the inside can test: the plans of the statements as they are sent, and a claim that stops in the middle.
#![allow(clippy::unwrap_used, reason = "tests")]

mod migrations;
mod plans;
mod session;
#[path = "../../tests/support/mod.rs"]
mod support;
mod suspended;
