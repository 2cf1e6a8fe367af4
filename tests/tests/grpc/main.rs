//! The API over gRPC, and branches over gRPC, through the built server on real sockets.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod branches;
mod orders;
mod refusals;
mod scene;
mod streams;
mod transactions;
