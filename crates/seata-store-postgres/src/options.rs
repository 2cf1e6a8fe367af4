//! What a user may choose about the database. The address holds a password: nothing here prints it.

use std::fmt::{self, Debug, Formatter};
use std::time::Duration;

use seata_store::{Migrate, Shard};

/// How the store is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Where the database is: `postgres://user:password@host:port/database?sslmode=require`. Never printed.
    pub address: String,
    /// The most connections that are open at once, 1 or more. The server's `max_connections` must hold those of all
    /// coordinators.
    pub connections_max: u32,
    /// How long one call may take, the wait for a free connection included; 100 ms or more.
    pub timeout: Duration,
    /// Which part of all transactions this database keeps.
    pub shard: Shard,
    /// Who brings the tables up to date.
    pub migrate: Migrate,
}

impl PostgresOptions {
    /// Asks for the defaults: 16 connections, 1.5 s, all transactions, tables brought up to date at start.
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

impl Debug for PostgresOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("address", &"(hidden)")
            .field("connections_max", &self.connections_max)
            .field("timeout", &self.timeout)
            .field("shard", &self.shard)
            .field("migrate", &self.migrate)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_not_printed() {
        let options = PostgresOptions::new("postgres://u:hush@db.example/x");
        let printed = format!("{options:?}");
        assert!(!printed.contains("hush") && !printed.contains("db.example"));
    }
}
