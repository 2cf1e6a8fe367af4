//! The store behind a coordinator: none of its own for the embedded ones, a private server for the others, which is emptied
//! before each run, and what that server says about its work.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use seata_test_servers::{MariaDb, Postgres, Redis, RedisOptions, Server, programs};
use serde::Serialize;

use crate::procfs;

/// Which store is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Store {
    Embedded,
    Sled,
    /// It syncs its log before it answers.
    Redis,
    /// It syncs its log each second.
    RedisEverysec,
    Mysql,
    Postgres,
}

impl Store {
    /// All, in the order in which they are measured.
    pub(crate) const ALL: [Self; 6] = [
        Self::Embedded,
        Self::Sled,
        Self::Redis,
        Self::RedisEverysec,
        Self::Postgres,
        Self::Mysql,
    ];

    /// Names it as the command line does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Sled => "sled",
            Self::Redis => "redis",
            Self::RedisEverysec => "redis-everysec",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }
}

/// The database of a run, in the server of a store.
const DATABASE: &str = "bench";

/// A store that is ready for a coordinator.
pub(crate) struct Backing {
    store: Store,
    server: Option<Server>,
}

/// What a store's server has done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Statements, or scripts and commands, that clients sent.
    pub(crate) commands: f64,
    /// Processor time of all its processes.
    pub(crate) cpu: Duration,
}

impl Backing {
    /// Starts what the store needs.
    ///
    /// # Errors
    /// Its server can't be started.
    pub(crate) fn start(store: Store) -> Result<Self> {
        let server = match store {
            Store::Embedded | Store::Sled => None,
            Store::Redis => Some(Redis::start(RedisOptions::default())?),
            Store::RedisEverysec => Some(Redis::start(RedisOptions {
                appendfsync: seata_test_servers::AppendFsync::EverySecond,
                settings: Vec::new(),
            })?),
            Store::Mysql => Some(MariaDb::start()?),
            Store::Postgres => {
                let counting = [("shared_preload_libraries", "pg_stat_statements")];
                let server = Postgres::start_with(&counting)?;
                psql(server.address(), "CREATE EXTENSION pg_stat_statements")?;
                Some(server)
            }
        };
        Ok(Self { store, server })
    }

    /// Takes all away that a run left in its server. What lies in a folder goes with the folder.
    ///
    /// # Errors
    /// Its server refuses.
    pub(crate) fn wipe(&self) -> Result<()> {
        let Some(server) = &self.server else {
            return Ok(());
        };
        let address = server.address();
        match self.store {
            Store::Embedded | Store::Sled => {}
            Store::Redis | Store::RedisEverysec => {
                redis(server.port(), &["flushall"])?;
            }
            Store::Mysql => {
                let drop = format!("DROP DATABASE IF EXISTS {DATABASE}");
                mysql(address, &drop)?;
                mysql(address, &format!("CREATE DATABASE {DATABASE}"))?;
            }
            Store::Postgres => {
                let drop = format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)");
                psql(address, &drop)?;
                psql(address, &format!("CREATE DATABASE {DATABASE}"))?;
            }
        }
        Ok(())
    }

    /// Answers the URL of a run's database.
    fn database(&self) -> String {
        let address = self.server.as_ref().map_or("", Server::address);
        match self.store {
            Store::Embedded | Store::Sled | Store::Redis | Store::RedisEverysec => {
                address.to_owned()
            }
            Store::Mysql | Store::Postgres => other_database(address),
        }
    }

    /// Answers what a peer is told about it, which may keep a file here; nothing if peers have no such store.
    pub(crate) fn peer_database(&self, file: &Path) -> Option<String> {
        match self.store {
            Store::Embedded => Some(format!("sqlite:{}", file.display())),
            Store::Sled => None,
            Store::Redis | Store::RedisEverysec | Store::Mysql | Store::Postgres => {
                Some(self.database())
            }
        }
    }

    /// Answers what the server is told about it.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let address = self.database();
        let named = |name: &str| ("SEATA_STORE", name.to_owned());
        match self.store {
            Store::Embedded => Vec::new(),
            Store::Sled => vec![named("sled")],
            Store::Redis | Store::RedisEverysec => {
                vec![named("redis"), ("SEATA_REDIS_URL", address)]
            }
            Store::Mysql => vec![named("mysql"), ("SEATA_MYSQL_DSN", address)],
            Store::Postgres => vec![named("postgres"), ("SEATA_POSTGRES_DSN", address)],
        }
    }

    /// Answers what its server has done so far; nothing for a store without one.
    ///
    /// # Errors
    /// It doesn't say.
    pub(crate) fn work(&self) -> Result<Work> {
        let Some(server) = &self.server else {
            return Ok(Work::default());
        };
        let cpu = procfs::cpu_within(server.folder())?;
        let address = server.address();
        let commands = match self.store {
            Store::Embedded | Store::Sled => 0.0,
            Store::Redis | Store::RedisEverysec => redis_commands(server.port())?,
            Store::Mysql => last_number(&mysql(address, "SHOW GLOBAL STATUS LIKE 'Questions'")?)?,
            Store::Postgres => last_number(&psql(
                address,
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements",
            )?)?,
        };
        Ok(Work { commands, cpu })
    }
}

/// Answers the URL of a database beside the one that a URL ends in.
fn other_database(address: &str) -> String {
    let server = address
        .rsplit_once('/')
        .map_or(address, |(server, _)| server);
    format!("{server}/{DATABASE}")
}

fn psql(address: &str, sql: &str) -> Result<String> {
    let mut command = Command::new(programs::path("psql"));
    command.args(["-X", "-q", "-A", "-t", "-d", address, "-c", sql]);
    said(command)
}

fn mysql(address: &str, sql: &str) -> Result<String> {
    let port = address.rsplit(':').next().unwrap_or_default();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let mut command = Command::new(programs::path("mariadb"));
    command.args([
        "--protocol=tcp",
        "-h",
        "127.0.0.1",
        "-u",
        "root",
        "-N",
        "-B",
    ]);
    command.args(["-P", &port, "-e", sql]);
    said(command)
}

/// Counts what clients sent. What a script called is told apart by no counter, so only commands that no script of the
/// store calls are counted beside the scripts.
fn redis_commands(port: u16) -> Result<f64> {
    Ok(scripts(&redis(port, &["info", "commandstats"])?))
}

fn redis(port: u16, words: &[&str]) -> Result<String> {
    let mut command = Command::new(programs::path("redis-cli"));
    command.args(["-p", &port.to_string()]).args(words);
    said(command)
}

fn scripts(stats: &str) -> f64 {
    let calls = |line: &str| {
        let (_, rest) = line.split_once("calls=")?;
        rest.split(',').next()?.parse::<f64>().ok()
    };
    stats
        .lines()
        .filter(|line| line.starts_with("cmdstat_eval"))
        .filter_map(calls)
        .sum()
}

fn last_number(text: &str) -> Result<f64> {
    let word = text.split_ascii_whitespace().last();
    word.and_then(|word| word.parse().ok())
        .with_context(|| format!("reading a count from {text:?}"))
}

fn said(mut command: Command) -> Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {program}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed: {words}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::float_cmp,
        clippy::unwrap_used,
        reason = "tests; the values are exact"
    )]
    use super::*;

    #[test]
    fn scripts_are_counted_and_what_they_call_is_not() {
        let stats = "# Commandstats\r\ncmdstat_evalsha:calls=12,usec=9\r\ncmdstat_eval:calls=1,usec=2\r\ncmdstat_hset:calls=99,usec=1\r\n";
        assert_eq!(scripts(stats), 13.0);
    }

    #[test]
    fn the_database_of_a_run_is_another_one_of_the_same_server() {
        let address = "postgres://postgres@127.0.0.1:5432/postgres";
        let other = "postgres://postgres@127.0.0.1:5432/bench";
        assert_eq!(other_database(address), other);
    }

    #[test]
    fn a_count_is_the_last_word() {
        assert_eq!(last_number("Questions\t42\n").unwrap(), 42.0);
        assert_eq!(last_number("7\n").unwrap(), 7.0);
        assert!(last_number("").is_err());
    }
}
