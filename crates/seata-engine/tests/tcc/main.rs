//! TCC and completion from outside through the engine's doors: who calls, who waits, and what is durable before.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod completion;
mod deciding;
mod leaving;
mod tries;
mod world;
