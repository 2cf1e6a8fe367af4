//! Keeps transactions in MySQL, MariaDB, and in what speaks it.
#![warn(missing_docs)]
