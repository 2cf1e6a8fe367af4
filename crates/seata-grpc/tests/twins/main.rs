//! The same requests over HTTP and over gRPC, on engines of the same kind: the same answers, and the same refusals.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod asked;
mod both;
mod codes;
mod own;
mod sockets;
mod told;
mod world;
