//! Keeps transactions in Redis (7.0 and later), Redis Cluster, or Valkey.
//!
//! One hash per transaction holds the header and a field per chunk. Transactions are spread over partitions by a hash of
//! their names; a partition has three sorted sets beside its records (free wake-ups, leased wake-ups, list order), and
//! its hash tag `{pNNN}` keeps it in one slot of a cluster. Whatever is decided is decided by a Lua script, by the
//! server's clock. A batch costs one script; on a cluster one per partition that it touches, all sent at once.
//!
//! # What is promised
//! Acknowledged means durable as the server is set up: `appendonly yes`, `appendfsync always` and `maxmemory-policy
//! noeviction` make it so, and anything less is told when the store is opened. Replication is asynchronous: a failover
//! of a cluster or by sentinels may lose what the old master acknowledged last. Each master judges leases by its own
//! clock, so the clocks of a cluster must agree to well within a lease.
//!
//! While a slot is being moved to another node, its partition answers `Unavailable`.
#![warn(missing_docs)]

mod append;
mod connection;
mod due;
mod error;
mod layout;
mod lease;
mod node;
mod nodes;
mod open;
mod options;
mod purge;
mod read;
mod script;
mod slots;
mod store;
mod walk;

pub use options::RedisOptions;
pub use store::RedisStore;
