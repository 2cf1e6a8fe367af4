//! What can be set: built-in default, then `conf.yaml`, then the environment, then flags; the later one wins.
//! Nothing is guessed: a key that isn't known, or a value that isn't allowed, stops the start.

mod allowed;
mod file;
mod given;
mod keys;
mod logs;
mod print;

pub(crate) use file::ConfigFile;
pub(crate) use given::Given;
pub(crate) use keys::{KEYS, LogFormat, Settings, Store};
pub(crate) use print::print;

#[cfg(test)]
mod tests;
