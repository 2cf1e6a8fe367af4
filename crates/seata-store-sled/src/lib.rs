//! Keeps transactions in one folder, on sled 0.34.7: for those who ask for it. The default store is fjall.
//!
//! One process owns the folder, so its lock is the lease: at open all leases are void. What is open is indexed in memory,
//! and the index is rebuilt at open, which reads the whole store.
//!
//! # What sled does not promise, and what is done about it
//!
//! | sled 0.34.7 | here |
//! |---|---|
//! | its flush ends in `sync_file_range`, which makes no promise about a power loss | its file is opened a second time, and each batch is followed by `fdatasync` before anybody is told |
//! | a message larger than a quarter of a segment goes to a file of its own, which is never synced | values are cut into pieces so small that no page gets there |
//! | a segment may be used again once what was moved out of it is *written* | segments have 8 MiB, and a batch was never seen to write 3 MiB: a segment is used again two segments later at the earliest, and a sync lies between |
//! | at a start it writes a snapshot of what it reads back, and clears what that makes free, before anything is synced | the log is synced before sled reads it |
//! | a snapshot that a crash left half made is taken for the newest one, and the start fails | it is removed: the one before it is still there |
//! | the names of its new files are not synced | they are, at open |
//! | a message that is damaged is taken for the end of the log, or of its segment: what follows is dropped **in silence**, and zeroed | each batch writes how many keys there are and the sum of their hashes, and its number also to a file beside; at open all is counted, and what does not add up is refused |
//!
//! So damage is refused, never skipped; but sled may have zeroed what lay behind it by then: restore from a backup. After a
//! power loss the file beside may be older than the store: a log that was cut at its very end at that moment is the one
//! damage that is not told from a crash.
//!
//! That all is read at open takes a start's time: it grows with what is kept, ended transactions included. With 200,000
//! ended ones of 600 bytes (a log of 370 MB) a start took two to four times as long as the embedded store's, in builds that
//! were not optimised, and some 70 MB of memory. Who keeps many for long is better off with the embedded store.
//!
//! A write or sync error is fatal and never retried: the pages may be gone.
#![warn(missing_docs)]

mod append;
mod clock;
mod error;
mod index;
mod layout;
mod lease;
mod open;
mod options;
mod purge;
mod read;
mod scan;
mod store;
mod sync;
mod tally;

pub use error::OpenError;
pub use options::SledOptions;
pub use store::{Room, SledStore};

#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
