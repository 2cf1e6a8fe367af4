//! Keeps transactions in PostgreSQL, and in what speaks it.
#![warn(missing_docs)]
