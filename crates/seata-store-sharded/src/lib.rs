//! Spreads transactions over several stores, by their gid.
#![warn(missing_docs)]
