//! Keeps transactions in PostgreSQL 13 or newer, and in what speaks it.
//!
//! One row per global transaction: the header in columns, the history as bytes. Every call is one statement, and every
//! statement is a transaction of its own, sent and answered whole: nothing is ever idle in a transaction, and no lock
//! outlives a coordinator that stops in between. All times are the server's `clock_timestamp()` in UTC milliseconds.
//!
//! | call | statements | finds its rows by |
//! |---|---|---|
//! | append, a whole batch | 1; 1 more where some were not applied, up to 4 more where somebody keeps a row locked | primary key, locked in the order of gids |
//! | load | 1 | primary key |
//! | claim | 1 | `global_transaction_free`, `global_transaction_leased`; `SKIP LOCKED` |
//! | renew, all leases | 1; 1 more where somebody keeps a row locked | primary key, locked in the order of gids |
//! | list, a page | 1 | `global_transaction_created` |
//! | purge | 2 | `global_transaction_created`, primary key; `SKIP LOCKED` |
//! | ping | 1 | |
//!
//! A statement costs one round trip, and one more the first time that a connection prepares it.
//!
//! # The SQL that it rests on
//!
//! `unnest` of several arrays in `FROM`, `= ANY (array)`, `UPDATE … FROM … RETURNING`, `INSERT … SELECT … ON CONFLICT DO
//! NOTHING RETURNING`, `DELETE … USING … RETURNING`, data-modifying and `MATERIALIZED` common table expressions, `FOR
//! UPDATE` and `FOR UPDATE SKIP LOCKED` inside of them, `row_number` and `sum` as window functions, `bytea` with `||` and
//! `octet_length`, partial and descending indexes, `COLLATE "C"`, `current_setting(…, true)`, `to_regclass`. No function of
//! ours, no trigger, no sequence, no `LISTEN`, no advisory lock but the migration's.
//!
//! YugabyteDB from its PostgreSQL 15 on takes all of this. CockroachDB refuses two changes of one table in one statement:
//! there a batch of creations and moves goes out as two. Neither was tried: the tests run on PostgreSQL 15.
//!
//! # Behind PgBouncer
//!
//! In session mode with `ignore_startup_parameters = options`. In transaction mode it also needs version 1.21 or newer and
//! `max_prepared_statements` of 16 or more, the sessions' settings given by `ALTER ROLE … SET` (the store sends them with
//! the connection, where PgBouncer drops them), and `seata-server migrate` with an address that leads to the server itself:
//! its lock belongs to a session.
//!
//! # What it promises
//!
//! Acknowledged means durable as the server is configured: sessions ask for `synchronous_commit = on`, and `fsync` or
//! `full_page_writes` that are off are warned of when it is opened. A failure before the statement was sent, and an error
//! after which the server rolled back, are `Unavailable`; silence, and a session that ended in between, are `Ambiguous`.
#![warn(missing_docs)]

mod append;
mod batch;
mod connection;
mod error;
mod explain;
mod layout;
mod lease;
mod migrate;
mod open;
mod options;
mod purge;
mod read;
mod store;

#[cfg(test)]
extern crate self as seata_store_postgres;
#[cfg(test)]
#[allow(unreachable_pub, reason = "shared with the integration tests")]
#[path = "../tests/support/mod.rs"]
mod support;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "tests/plans.rs"]
mod plans;

pub use options::PostgresOptions;
pub use store::PostgresStore;
