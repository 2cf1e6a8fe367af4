//! A database of its own for each test, on the server that the environment names.
#![allow(dead_code, unused_imports, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seata_store::{LeaseChange, Owner, Revision};
pub(crate) use seata_store_conformance::appending::{
    append, applied, creation, ending, following, gid, history, loaded,
};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// A new database. It is dropped with this.
pub(crate) struct Database {
    server: String,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn create() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let server = seata_store_conformance::address("SEATA_TEST_MYSQL_DSN")?;
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let name = format!(
            "seata_{}_{}_{}",
            std::process::id(),
            nanos.subsec_nanos(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        administer(&server, &format!("CREATE DATABASE {name}")).await;
        Some(Self { server, name })
    }

    /// The address of this database, with the server's credentials.
    pub(crate) fn address(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// A connection that has nothing of the store's settings.
    pub(crate) async fn connect(&self) -> MySqlConnection {
        MySqlConnection::connect(&self.address()).await.unwrap()
    }

    /// Runs statements in this database.
    pub(crate) async fn run(&self, statements: &str) {
        administer(&self.address(), statements).await;
    }

    pub(crate) fn options(&self) -> MySqlConnectOptions {
        self.address().parse().unwrap()
    }
}

async fn administer(address: &str, statements: &str) {
    let options: MySqlConnectOptions = address.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, drop) = (self.server.clone(), format!("DROP DATABASE {}", self.name));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(administer(&server, &drop));
        });
        let _ = dropped.join();
    }
}

pub(crate) fn taking(owner: u128, lasts: Duration) -> LeaseChange {
    LeaseChange::Take {
        owner: Owner(owner),
        lasts,
    }
}

pub(crate) const fn revision(number: u64) -> Revision {
    Revision(number)
}
