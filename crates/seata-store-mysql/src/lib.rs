//! Keeps transactions in MySQL, MariaDB, and in what speaks it.
//!
//! One row per transaction: a header that the store reads, and a history that it never looks into. Tests run on MariaDB;
//! the SQL keeps to what Oracle's MySQL 8.0 and TiDB take as well: no RETURNING, no row alias, no descending index.
//!
//! # Packets
//!
//! A batch of appends takes one round trip or two, however many appends it holds:
//!
//! | batch | what is sent |
//! |---|---|
//! | creations only | one multi-row `INSERT`, in a transaction of its own |
//! | one later append | one `UPDATE` on condition, in a transaction of its own |
//! | any other | `START TRANSACTION` and a locking read of the headers, in gid order; then the multi-row writes and `COMMIT` |
//!
//! The last decides here, by [`Append::judge`](seata_store::Append::judge) itself. The alternative was one packet for that
//! too, with the rule in SQL: an `UPDATE` joined to a derived table, beside the locking read. It was built, passed the
//! same tests, and took 1.3 to 1.6 times as long on MariaDB 10.11 (batches of 8 and 64, three runs): each such `UPDATE`
//! makes a temporary table on disk, since histories are blobs. What it saved, a round trip and rows that stay locked while
//! a coordinator is suspended between both packets, is worth less: those rows are mostly leased by that coordinator
//! anyway, and the server ends its session after 2 s on MariaDB (`idle_transaction_timeout`), after 10 s elsewhere
//! (`wait_timeout`). Claims take two packets in the same way.
//!
//! Text was chosen over prepared statements because only text can carry several statements in a packet, and because the
//! number of rows varies; bytes are written in hexadecimal. A creation of a gid that exists makes the `INSERT` fail as a
//! whole: the batch goes out again without it, as after a deadlock, at most three times.
//!
//! A row that somebody keeps locked for a second costs what asks for that row, not its neighbours: the packet goes out
//! again with `SKIP LOCKED`. Statements that lock name the primary key, since a server scans a small table otherwise, and
//! meets the locks of rows that nobody asked for.
//!
//! # What a user may configure as he likes
//!
//! Each connection sets what the SQL rests on: READ COMMITTED, strict mode, UTC, autocommit, commits that begin nothing
//! behind them (`completion_type`), answers of all rows (`sql_select_limit`), short lock waits. Times are computed from `UTC_TIMESTAMP`, so no zone has a say. `max_allowed_packet` is read at open and bounds batches and
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
mod mix;
mod open;
mod options;
mod purge;
mod read;
mod renew;
mod store;
mod text;
mod verdict;

#[cfg(test)]
mod tests;

pub use options::MysqlOptions;
pub use store::MysqlStore;
