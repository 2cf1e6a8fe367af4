//! The suite on one server and on a cluster.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use seata_store::TxnStore;
use seata_store_conformance::{Fixture, Leases, address};
use seata_store_redis::RedisStore;
use support::options;

struct Keys {
    address: String,
    /// Where the keys are removed from in the end.
    servers: Vec<String>,
    prefix: String,
    store: Option<RedisStore>,
}

impl Keys {
    async fn of_one_server() -> Option<Self> {
        let address = address("SEATA_TEST_REDIS_URL")?;
        Some(Self::new(vec![address.clone()], address).await)
    }
    async fn of_a_cluster() -> Option<Self> {
        let address = address("SEATA_TEST_REDIS_CLUSTER_URL")?;
        Some(Self::new(support::masters(&address), address).await)
    }
    async fn new(servers: Vec<String>, address: String) -> Self {
        let prefix = support::prefix();
        let store = RedisStore::open(options(&address, &prefix)).await;
        Self {
            address,
            servers,
            prefix,
            store: Some(store.unwrap()),
        }
    }
}

#[async_trait::async_trait]
impl Fixture for Keys {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone().unwrap())
    }
    async fn reopen(&mut self) {
        self.store = None;
        let options = options(&self.address, &self.prefix);
        self.store = Some(RedisStore::open(options).await.unwrap());
    }
    fn leases(&self) -> Leases {
        Leases::Hold
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        for server in &self.servers {
            support::Plain::connect(server).clear(&self.prefix);
        }
    }
}

mod one_server {
    use super::*;

    seata_store_conformance::suite!(maybe Keys::of_one_server().await);
}

mod cluster {
    use super::*;

    seata_store_conformance::suite!(maybe Keys::of_a_cluster().await);
}
