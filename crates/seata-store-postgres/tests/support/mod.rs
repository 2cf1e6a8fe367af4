//! A place of its own on the test server: a schema or a database that goes with the test, and small helpers.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and tests fail by panicking"
)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use seata_store::{
    Append, AppendOutcome, Chunk, Expected, FencingToken, Header, LeaseChange, Owner, Revision,
    StoreError, TxnStore,
};
pub(crate) use seata_store_conformance::appending::{creation, gid};
use seata_store_postgres::{PostgresOptions, PostgresStore};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// What separates one test from the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apart {
    /// A schema: quick to make.
    Schema,
    /// A database: has settings and statistics of its own.
    Database,
    /// A database that orders texts as people in America do, not by bytes.
    American,
}

pub(crate) struct Place {
    server: String,
    name: String,
    apart: Apart,
}

impl Place {
    /// None: no server is given, and the test is skipped.
    pub(crate) async fn new(apart: Apart) -> Option<Self> {
        let server = seata_store_conformance::address("SEATA_TEST_POSTGRES_DSN")?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("seata_{}_{number}", std::process::id());
        let place = Self {
            server,
            name,
            apart,
        };
        let kind = place.kind();
        let mut live = connect(&place.server).await;
        let order = match apart {
            Apart::Schema | Apart::Database => "",
            Apart::American => {
                "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
            }
        };
        run(&mut live, &format!("CREATE {kind} {} {order}", place.name)).await;
        Some(place)
    }

    fn kind(&self) -> &'static str {
        match self.apart {
            Apart::Schema => "SCHEMA",
            Apart::Database | Apart::American => "DATABASE",
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn address(&self) -> String {
        match self.apart {
            Apart::Schema => format!("{}?options[search_path]={}", self.server, self.name),
            Apart::Database | Apart::American => {
                let (start, _) = self.server.rsplit_once('/').unwrap();
                format!("{start}/{}", self.name)
            }
        }
    }

    /// For a store that gives up late: what a test does not ask for is no reason for it to fail on a busy machine.
    pub(crate) fn options(&self) -> PostgresOptions {
        PostgresOptions {
            timeout: Duration::from_secs(30),
            ..PostgresOptions::new(self.address())
        }
    }

    pub(crate) async fn open(&self) -> PostgresStore {
        PostgresStore::open(self.options()).await.unwrap()
    }

    /// A connection that is not the store's.
    pub(crate) async fn connect(&self) -> PgConnection {
        connect(&self.address()).await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let text = match self.apart {
            Apart::Schema => format!("DROP SCHEMA {name} CASCADE"),
            Apart::Database | Apart::American => format!("DROP DATABASE {name} WITH (FORCE)"),
        };
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { run(&mut connect(&server).await, &text).await });
        });
        drop(dropped.join());
    }
}

pub(crate) async fn connect(address: &str) -> PgConnection {
    let options: PgConnectOptions = address.parse().unwrap();
    options.connect().await.unwrap()
}

pub(crate) async fn run(live: &mut PgConnection, text: &str) {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(live)
        .await
        .unwrap();
}

pub(crate) async fn rows(live: &mut PgConnection, text: &str) -> Vec<PgRow> {
    let text = AssertSqlSafe(text.to_owned());
    sqlx::query(text).fetch_all(live).await.unwrap()
}

pub(crate) async fn number(live: &mut PgConnection, text: &str) -> i64 {
    rows(live, text).await[0].get(0)
}

/// Waits until a question is answered with yes, as long as a patient person would.
pub(crate) async fn until(live: &mut PgConnection, question: &str) {
    for _ in 0..6_000 {
        if rows(live, question).await[0].get::<bool, _>(0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never true: {question}");
}

/// An append to a record that stands at this revision and token 0.
pub(crate) fn following(name: &str, revision: u64, text: &str) -> Append {
    Append {
        expected: Expected::At {
            revision: Revision(revision),
            token: FencingToken(0),
        },
        chunk: Chunk::Add(Bytes::copy_from_slice(text.as_bytes())),
        ..creation(name, 1_000)
    }
}

pub(crate) fn taking(owner: u128, lasts: Duration) -> LeaseChange {
    LeaseChange::Take {
        owner: Owner(owner),
        lasts,
    }
}

pub(crate) async fn one(
    store: &PostgresStore,
    append: Append,
) -> Result<AppendOutcome, StoreError> {
    let mut answers = store.append(vec![append]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

pub(crate) async fn applied(store: &PostgresStore, append: Append) -> Header {
    let name = append.gid.clone();
    let outcome = one(store, append).await.unwrap();
    assert!(matches!(outcome, AppendOutcome::Applied(_)), "{outcome:?}");
    store.load(&name).await.unwrap().unwrap().header
}

pub(crate) async fn history(store: &PostgresStore, name: &str) -> Vec<u8> {
    let stored = store.load(&gid(name)).await.unwrap().unwrap();
    stored.chunks.concat()
}
