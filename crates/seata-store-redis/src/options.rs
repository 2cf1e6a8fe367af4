//! How the store is reached and laid out.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use seata_store::Shard;

/// How to open a [`RedisStore`](crate::RedisStore).
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://[user:password@]host[:port][/database]`, `rediss://…` (TLS), `redis-cluster://host:port?node=host:port`
    /// or `redis-sentinel://host:port?sentinelServiceName=name&node=host:port`. Never printed.
    pub address: String,
    /// At most so many connections to each server. Commands share them, and no more than two are opened: one, and another
    /// that goes on while it is replaced.
    pub connections_max: u32,
    /// The time limit of each call. Below the two seconds after which the engine gives a call up.
    pub timeout: Duration,
    /// Which part of all transactions this Redis keeps.
    pub shard: Shard,
    /// What each key begins with, 1 to 64 of `[A-Za-z0-9._:-]`: stores with different ones share a Redis.
    pub prefix: String,
    /// Over how many partitions a new store is spread, 1 to 256; none: 16. What was written when the store was first
    /// opened holds; another number is refused then.
    pub partitions: Option<u16>,
}

impl RedisOptions {
    /// Answers the defaults for this address: 16 connections, 1.5 seconds, all transactions, keys under `seata`.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            connections_max: 16,
            timeout: Duration::from_millis(1_500),
            shard: Shard::WHOLE,
            prefix: "seata".to_owned(),
            partitions: None,
        }
    }
}

/// Without the address: it may hold a password.
impl Debug for RedisOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("connections_max", &self.connections_max)
            .field("timeout", &self.timeout)
            .field("shard", &self.shard)
            .field("prefix", &self.prefix)
            .field("partitions", &self.partitions)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_never_printed() {
        let options = RedisOptions::new("redis://:secret@localhost");
        assert!(!format!("{options:?}").contains("secret"));
    }
}
