//! Keeps transactions in MySQL, MariaDB, and in what speaks it.
//!
//! One row per transaction: a header that the store reads, and a history that it never looks into. Tests run on MariaDB;
//! the SQL keeps to what Oracle's MySQL 8.0 and TiDB take as well: no RETURNING, no row alias, no descending index.
//!
//! # One packet per batch
//!
//! A batch of appends goes out as one packet and needs one round trip, however many appends it holds:
//!
//! | batch | what is sent |
//! |---|---|
//! | creations only | one multi-row `INSERT`, in a transaction of its own |
//! | one later append | one `UPDATE` on condition, in a transaction of its own |
//! | any other | `START TRANSACTION`; a locking read of the headers, in gid order; one `UPDATE` on condition; one `INSERT`; `COMMIT` |
//!
//! The condition of the `UPDATE` is [`Append::judge`](seata_store::Append::judge) in SQL. The answers come from the rule
//! itself, applied to the headers that the locking read gave: the rows stay locked until the `COMMIT`, so both see the
//! same, and a differing count of written rows is told as a bug.
//!
//! The alternative was to read, to decide here, and to write without a condition in a second packet. It costs the server
//! some 0.5 ms less per batch of eight (0.7 of the CPU at 64), since a joined `UPDATE` goes through temporary tables, but
//! takes two round trips, and leaves rows locked while a coordinator is suspended between both: MySQL has no limit of
//! time for idle transactions. Here the server finishes what it has received, whatever becomes of the sender. Text was
//! chosen over prepared statements because only text can carry several statements; bytes are written in hexadecimal.
//!
//! A creation of a gid that exists makes the `INSERT` fail as a whole: the batch goes out again without it, as after a
//! deadlock, at most three times. Claims take two packets; what they lock in between is set free by the server when the
//! coordinator stays away: after 2 s on MariaDB (`idle_transaction_timeout`), after 10 s elsewhere (`wait_timeout`).
//!
//! # What a user may configure as he likes
//!
//! Each connection sets what the SQL rests on: READ COMMITTED, strict mode, UTC, autocommit, short lock waits. Times are
//! computed from `UTC_TIMESTAMP`, so no zone has a say. `max_allowed_packet` is read at open and bounds batches and
//! records. What makes "acknowledged" mean less than "durable" is warned of.
#![warn(missing_docs)]

mod append;
mod batch;
mod connection;
mod error;
mod layout;
mod lease;
mod ledger;
mod migrate;
mod open;
mod options;
mod purge;
mod read;
mod store;
mod text;
mod verdict;

#[cfg(test)]
mod tests;

pub use migrate::Migrated;
pub use options::MysqlOptions;
pub use store::MysqlStore;
