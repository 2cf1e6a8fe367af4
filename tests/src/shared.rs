//! A store that several servers share: a private one of its kind, and what may befall it.

use std::sync::Arc;

use seata_test_servers::{MariaDb, Postgres, Proxy, Redis, RedisCluster, RedisOptions, Server};

use crate::server::Setup;

/// Which store the servers of a fleet share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, which speaks MySQL's protocol.
    Mysql,
    /// One Redis.
    Redis,
    /// Three masters of Redis, each with a replica.
    RedisCluster,
}

impl Kind {
    /// Answers its name, as `SEATA_STORE` has it but for the cluster.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
            Self::RedisCluster => "redis-cluster",
        }
    }

    const fn store(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis | Self::RedisCluster => "redis",
        }
    }

    const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "SEATA_POSTGRES_DSN",
            Self::Mysql => "SEATA_MYSQL_DSN",
            Self::Redis | Self::RedisCluster => "SEATA_REDIS_URL",
        }
    }

    fn missing(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Postgres::missing(),
            Self::Mysql => MariaDb::missing(),
            Self::Redis | Self::RedisCluster => Redis::missing(),
        }
    }
}

enum Host {
    One(Server),
    Cluster(RedisCluster),
}

/// A running store. Clones are one.
#[derive(Clone)]
pub struct SharedStore {
    kind: Kind,
    host: Arc<Host>,
}

impl SharedStore {
    /// Starts an empty one. None: a program is missing on this machine, and this was printed.
    ///
    /// # Panics
    /// A program is missing under `CI=true`, or the store does not start.
    #[must_use]
    pub fn start(kind: Kind) -> Option<Self> {
        if let Some(program) = kind.missing() {
            skipped(&format!("{}: there is no {program}", kind.as_str()));
            return None;
        }
        let host = match kind {
            Kind::Postgres => Host::One(Postgres::start().unwrap()),
            Kind::Mysql => Host::One(MariaDb::start().unwrap()),
            Kind::Redis => Host::One(Redis::start(RedisOptions::default()).unwrap()),
            Kind::RedisCluster => Host::Cluster(RedisCluster::start().unwrap()),
        };
        let host = Arc::new(host);
        Some(Self { kind, host })
    }

    /// Answers its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Sets a server up on it.
    #[must_use]
    pub fn used_by(&self, setup: Setup) -> Setup {
        let address = match self.host.as_ref() {
            Host::One(server) => server.address(),
            Host::Cluster(cluster) => cluster.address(),
        };
        self.used_at(setup, address)
    }

    /// Sets a server up on it, by way of a proxy.
    #[must_use]
    pub fn used_through(&self, setup: Setup, proxy: &Proxy) -> Setup {
        self.used_at(setup, proxy.address())
    }

    fn used_at(&self, setup: Setup, address: &str) -> Setup {
        setup
            .with("SEATA_STORE", self.kind.store())
            .with(self.kind.variable(), address)
    }

    /// Stands a proxy before it.
    ///
    /// # Panics
    /// It is a cluster: its nodes name each other.
    #[must_use]
    pub fn proxy(&self) -> Proxy {
        Proxy::to(self.one().address()).unwrap()
    }

    /// Answers its one server.
    ///
    /// # Panics
    /// It is a cluster.
    #[must_use]
    pub fn one(&self) -> &Server {
        match self.host.as_ref() {
            Host::One(server) => server,
            Host::Cluster(_) => panic!("a cluster has several nodes"),
        }
    }

    /// Answers the cluster.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn cluster(&self) -> &RedisCluster {
        match self.host.as_ref() {
            Host::One(_) => panic!("it is no cluster"),
            Host::Cluster(cluster) => cluster,
        }
    }
}

/// Says that something can't be tested on this machine.
///
/// # Panics
/// `CI=true`: there nothing may be skipped.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "nothing may be skipped under CI=true: {why}");
}
