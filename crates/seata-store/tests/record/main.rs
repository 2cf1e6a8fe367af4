//! The stored record: it reads back what was written, keeps its bytes, and refuses what it can't read.
#![allow(clippy::unwrap_used, reason = "tests")]

mod damage;
mod entry;
mod golden;
mod newer;
mod round_trip;
mod samples;
mod strategies;
mod wire;
