//! Keeps transactions in one folder, on sled.
#![warn(missing_docs)]
