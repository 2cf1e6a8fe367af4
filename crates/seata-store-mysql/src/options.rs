//! What an operator may choose. Holds a password, so it is never printed.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use seata_store::{Migrate, Shard};

/// How to reach one database, and how to use it.
#[derive(Clone)]
pub struct MysqlOptions {
    /// `mysql://user:password@host:port/database`, with sqlx's parameters such as `?ssl-mode=verify_identity`.
    pub address: String,
    /// The most connections at once.
    pub connections_max: u32,
    /// The longest that one call may take, connecting included. Keep it under two seconds: the engine gives up then.
    pub timeout: Duration,
    /// Which part of all transactions this database keeps.
    pub shard: Shard,
    /// Who brings the tables up to date.
    pub migrate: Migrate,
}

impl MysqlOptions {
    /// Answers the defaults: 16 connections, 1.5 s, all transactions, tables brought up to date at open.
    #[must_use]
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            connections_max: 16,
            timeout: Duration::from_millis(1_500),
            shard: Shard::WHOLE,
            migrate: Migrate::Auto,
        }
    }
}

impl Debug for MysqlOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlOptions")
            .field("connections_max", &self.connections_max)
            .field("timeout", &self.timeout)
            .field("shard", &self.shard)
            .field("migrate", &self.migrate)
            .finish_non_exhaustive()
    }
}
