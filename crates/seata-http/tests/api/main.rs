//! The API over a real engine, on the reference store and on virtual time.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod answers;
mod bounds;
mod codes;
mod content;
mod cors;
mod decided;
mod described;
mod docs;
mod endpoints;
mod found;
mod lists;
mod orders;
mod queries;
mod random;
mod refusals;
mod tcc;
mod watching;
mod wire;
mod world;
