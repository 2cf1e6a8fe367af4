//! What can be set: built-in default, then `conf.yaml`, then the environment, then flags; the later one wins.
//! Nothing is guessed: a key that isn't known, or a value that isn't allowed, stops the start.
//!
//! It reads one file and what it is given of the environment, prints, and does nothing else: it knows no other crate of
//! ours, opens no store and no port, and logs nothing.
#![warn(missing_docs)]

mod address;
mod allowed;
mod error;
mod file;
mod given;
mod kept;
mod keys;
mod log;
mod print;

pub use address::StoreAddress;
pub use error::ConfigError;
pub use file::ConfigFile;
pub use given::Given;
pub use kept::Kept;
pub use keys::{KEYS, Key, LogFormat, MigrateAtStart, Settings, Store};
pub use log::{LogFilter, LogLevel, LogRule};
pub use print::print;

#[cfg(test)]
mod tests;
