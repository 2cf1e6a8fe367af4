//! What the examples share: a bank with a database of its own, and a coordinator within this process.
//!
//! The programs are in `src/bin`; each says on its first lines how it is run. This is code to learn from and to copy, not
//! a library to depend on.

pub mod bank;
pub mod coordinator;
pub mod shop;
pub mod transfer;
