//! The one table of keys. The settings, the flags, what `config` prints and the check of the documentation follow it.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::{MYSQL, POSTGRES, REDIS, StoreAddress};
use crate::allowed::{Address, Allowed, Folder, OneOf, OriginList, Secs, SecsOrNone, Whole};
use crate::error::ConfigError;
use crate::given::Given;
use crate::log::{LogFilter, LogRules};

/// One key.
pub struct Key {
    /// As in `conf.yaml`; upper-case behind `SEATA_` in the environment, with dashes as a flag.
    pub name: &'static str,
    /// What holds if nothing is given.
    pub default: &'static str,
    /// What it sets, in a sentence.
    pub doc: &'static str,
    /// What is allowed, as the end of "it must be …".
    pub said: fn() -> String,
    /// Answers a value as everyone may see it.
    pub masked: fn(&str) -> String,
}

impl Key {
    /// Names it as a variable of the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("SEATA_{}", self.name.to_ascii_uppercase())
    }

    /// Names it as a flag, without the dashes in front.
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

macro_rules! keys {
    ($(#[doc = $doc:literal] $name:ident: $value:ty = $default:literal, $allowed:expr;)+) => {
        /// All that is set, read.
        #[derive(Debug, Clone)]
        pub struct Settings {
            $(#[doc = $doc] pub $name: $value,)+
        }

        /// All keys.
        pub const KEYS: &[Key] = &[$(Key {
            name: stringify!($name),
            default: $default,
            doc: $doc,
            said: || $allowed.said(),
            masked: |text| $allowed.masked(text),
        },)+];

        impl Settings {
            fn each(given: &Given) -> Result<Self, ConfigError> {
                Ok(Self { $($name: given.read(stringify!($name), &$allowed)?,)+ })
            }
        }
    };
}

keys! {
    /// Where transactions are kept.
    store: Store = "embedded", OneOf { words: Store::WORDS, note: "" };
    /// The folder of the embedded store and of sled; made if it isn't there.
    data_dir: PathBuf = "./data", Folder;
    /// Where Redis or a Redis Cluster is, with its password.
    redis_url: Vec<StoreAddress> = "none", REDIS;
    /// Where MySQL or MariaDB is, with its password; several spread the transactions.
    mysql_dsn: Vec<StoreAddress> = "none", MYSQL;
    /// Where PostgreSQL is, with its password; several spread the transactions.
    postgres_dsn: Vec<StoreAddress> = "none", POSTGRES;
    /// Who brings the tables of MySQL and PostgreSQL up to date: this server when it starts, or `seata-server migrate`.
    migrate: MigrateAtStart = "auto", OneOf { words: MigrateAtStart::WORDS, note: "" };
    /// The most connections to each database, or to Redis.
    store_connections_max: u32 = "16", Whole(1..=1_000);
    /// The address to listen on.
    bind: IpAddr = "127.0.0.1", Address;
    /// The port of the HTTP API; 0 takes any free one.
    http_port: u16 = "36789", Whole(0..=u16::MAX);
    /// The port of the gRPC API; 0 takes any free one.
    grpc_port: u16 = "36790", Whole(0..=u16::MAX);
    /// How long one call of a branch may take, unless the request says otherwise.
    request_timeout_secs: Duration = "3", Secs(0.01..=86_400.0);
    /// The first interval between attempts, unless the request says otherwise.
    retry_interval_secs: Duration = "1", Secs(0.01..=86_400.0);
    /// The longest interval between attempts, unless the request says otherwise.
    retry_interval_max_secs: Duration = "60", Secs(0.01..=86_400.0);
    /// Attempts of an action in all, unless the request says otherwise; 0: until the deadline.
    max_attempts: u32 = "0", Whole(0..=1_000_000);
    /// How long after its submission a saga turns round, unless the request says otherwise.
    timeout_to_fail_secs: Option<Duration> = "none", SecsOrNone(0.01..=31_536_000.0);
    /// When a transaction that nobody submits is aborted, unless the request says otherwise.
    prepared_timeout_secs: Duration = "35", Secs(0.01..=31_536_000.0);
    /// How many branches of a transaction are called at once, unless the request says otherwise.
    branch_parallelism: u32 = "8", Whole(1..=1_000);
    /// After how many attempts of one operation a person should look.
    attention_attempts: u32 = "5", Whole(1..=1_000_000);
    /// How long a server that has died holds up its transactions on a shared store.
    lease_secs: Duration = "10", Secs(1.0..=3_600.0);
    /// How long calls and requests in progress may take to end when the server stops.
    grace_secs: Duration = "10", Secs(0.0..=3_600.0);
    /// How long ended transactions are kept.
    retention_secs: Duration = "604800", Secs(1.0..=3_153_600_000.0);
    /// The largest payload, in bytes.
    payload_bytes_max: usize = "1048576", Whole(1..=(16 << 20));
    /// The largest body of a request, in bytes.
    body_bytes_max: usize = "4194304", Whole(1_024..=(32 << 20));
    /// The most branches of one transaction.
    branches_max: usize = "1000", Whole(1..=10_000);
    /// The most transactions in memory at once; beyond it new ones are refused with 429.
    active_max: usize = "16000", Whole(1..=1_000_000);
    /// The most bytes of transactions in memory at once; beyond it new ones are refused with 429.
    active_bytes_max: usize = "268435456", Whole(67_108_864..=1_099_511_627_776_usize);
    /// The most calls of branches at once, in all; less if the process may not open as many files.
    calls_in_flight_max: usize = "2000", Whole(1..=100_000);
    /// The most calls of branches at once to one scheme, host and port.
    calls_in_flight_per_destination: usize = "256", Whole(1..=100_000);
    /// The origins whose pages may ask this server from a browser, separated by commas.
    cors_origins: Option<String> = "none", OriginList;
    /// With less free disk space than this, in bytes, new transactions are refused; open ones go on.
    disk_free_min_bytes: u64 = "268435456", Whole(0..=u64::MAX);
    /// Which log lines are written to the standard error output.
    log: LogFilter = "info", LogRules;
    /// How they look: for a person, or an object of JSON per line.
    log_format: LogFormat = "pretty", OneOf { words: &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)], note: "" };
}

impl Settings {
    /// Reads all that was given.
    ///
    /// # Errors
    /// Names the first value that isn't allowed.
    pub fn read(given: &Given) -> Result<Self, ConfigError> {
        let settings = Self::each(given)?;
        let first = settings.retry_interval_secs;
        let longest = settings.retry_interval_max_secs;
        if first > longest {
            return Err(ConfigError::Contradiction(format!(
                "{} is {}, which is more than retry_interval_max_secs, which is {}",
                given.place("retry_interval_secs"),
                first.as_secs_f64(),
                longest.as_secs_f64(),
            )));
        }
        settings.kept()?;
        settings.refuse_an_address_without_a_choice(given)?;
        Ok(settings)
    }
}

/// Where transactions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In a folder, on fjall.
    Embedded,
    /// In a folder, on sled.
    Sled,
    /// In Redis or a Redis Cluster.
    Redis,
    /// In MySQL, MariaDB, or what speaks their protocol.
    Mysql,
    /// In PostgreSQL, or what speaks its protocol.
    Postgres,
}

impl Store {
    const WORDS: &[(&str, Self)] = &[
        ("embedded", Self::Embedded),
        ("sled", Self::Sled),
        ("redis", Self::Redis),
        ("mysql", Self::Mysql),
        ("postgres", Self::Postgres),
    ];

    /// Answers its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Sled => "sled",
            Self::Redis => "redis",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// What a server does about the tables of its database when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateAtStart {
    /// It brings them up to date.
    Auto,
    /// It refuses to start if they aren't.
    Check,
    /// It does not look.
    Off,
}

impl MigrateAtStart {
    const WORDS: &[(&str, Self)] = &[
        ("auto", Self::Auto),
        ("check", Self::Check),
        ("off", Self::Off),
    ];
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Pretty,
    /// An object of JSON per line.
    Json,
}
