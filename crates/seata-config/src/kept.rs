//! Which store was chosen, with the address that it needs.

use crate::address::{MYSQL, POSTGRES, REDIS, StoreAddress};
use crate::error::ConfigError;
use crate::given::Given;
use crate::keys::{Settings, Store};

/// Where transactions are kept, with what that needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept<'a> {
    /// In a folder, on fjall.
    Embedded,
    /// In a folder, on sled.
    Sled,
    /// In Redis or a Redis Cluster.
    Redis(&'a StoreAddress),
    /// In databases that speak MySQL's protocol, at least one.
    Mysql(&'a [StoreAddress]),
    /// In databases that speak PostgreSQL's protocol, at least one.
    Postgres(&'a [StoreAddress]),
}

impl Settings {
    /// Answers which store was chosen.
    ///
    /// # Errors
    /// It needs an address and has none. Settings that were read have none of these.
    pub fn kept(&self) -> Result<Kept<'_>, ConfigError> {
        match self.store {
            Store::Embedded => Ok(Kept::Embedded),
            Store::Sled => Ok(Kept::Sled),
            Store::Redis => match self.redis_url.as_slice() {
                [] => Err(self.needs("SEATA_REDIS_URL", REDIS.example)),
                [address, ..] => Ok(Kept::Redis(address)),
            },
            Store::Mysql => match self.mysql_dsn.as_slice() {
                [] => Err(self.needs("SEATA_MYSQL_DSN", MYSQL.example)),
                addresses => Ok(Kept::Mysql(addresses)),
            },
            Store::Postgres => match self.postgres_dsn.as_slice() {
                [] => Err(self.needs("SEATA_POSTGRES_DSN", POSTGRES.example)),
                addresses => Ok(Kept::Postgres(addresses)),
            },
        }
    }

    fn needs(&self, variable: &str, example: &str) -> ConfigError {
        ConfigError::Contradiction(format!(
            "the store {} needs its address: set {variable}, such as {example}",
            self.store.as_str()
        ))
    }

    /// Answers how many databases the chosen store spreads the transactions over; 0 if it connects to none.
    #[must_use]
    pub fn addresses_len(&self) -> usize {
        match self.store {
            Store::Embedded | Store::Sled => 0,
            Store::Redis => self.redis_url.len(),
            Store::Mysql => self.mysql_dsn.len(),
            Store::Postgres => self.postgres_dsn.len(),
        }
    }

    /// Names the keys with addresses of stores that are not the chosen one.
    #[must_use]
    pub fn unused(&self) -> Vec<&'static str> {
        let addresses = self.addresses();
        let others = addresses.iter().filter(|(store, ..)| *store != self.store);
        let given = others.filter(|(_, _, addresses)| !addresses.is_empty());
        given.map(|(_, name, _)| *name).collect()
    }

    fn addresses(&self) -> [(Store, &'static str, &[StoreAddress]); 3] {
        [
            (Store::Redis, "redis_url", &self.redis_url),
            (Store::Mysql, "mysql_dsn", &self.mysql_dsn),
            (Store::Postgres, "postgres_dsn", &self.postgres_dsn),
        ]
    }

    /// Whoever gives an address and chooses no store means that one. The default would keep everything in a folder,
    /// where no other server finds it.
    pub(crate) fn refuse_an_address_without_a_choice(
        &self,
        given: &Given,
    ) -> Result<(), ConfigError> {
        if given.is_given("store") {
            return Ok(());
        }
        let addresses = self.addresses();
        let forgotten = addresses
            .iter()
            .find(|(_, _, addresses)| !addresses.is_empty());
        forgotten.map_or(Ok(()), |(store, name, _)| {
            Err(ConfigError::Contradiction(format!(
                "{} is given, but no store is chosen: set SEATA_STORE={}, or SEATA_STORE=embedded to keep transactions in the data folder",
                given.place(name),
                store.as_str(),
            )))
        })
    }
}
