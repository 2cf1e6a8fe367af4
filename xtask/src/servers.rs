//! Private database servers for tests: the lasting part of each command that needs them.
//!
//! An address that the environment already gives is used as it is. What a server is, is `seata-test-servers`' to say.

use std::thread;

use anyhow::{Context, Result, bail};
use seata_test_servers::{MariaDb, Postgres, Redis, RedisCluster, RedisOptions, Server};

use crate::packages::install;
use crate::run::{is_ci, program};

/// A database that tests may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
    Redis,
    RedisCluster,
}

/// A server that runs until it is dropped.
enum Running {
    One(Server),
    Cluster(RedisCluster),
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Postgres,
        Self::MariaDb,
        Self::Redis,
        Self::RedisCluster,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MariaDb => "MariaDB",
            Self::Redis => "Redis",
            Self::RedisCluster => "Redis Cluster",
        }
    }

    /// Names the variable that hands its address to the tests.
    const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "SEATA_TEST_POSTGRES_DSN",
            Self::MariaDb => "SEATA_TEST_MYSQL_DSN",
            Self::Redis => "SEATA_TEST_REDIS_URL",
            Self::RedisCluster => "SEATA_TEST_REDIS_CLUSTER_URL",
        }
    }

    /// Names the Debian package that brings it.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::MariaDb => "mariadb-server",
            Self::Redis | Self::RedisCluster => "redis-server",
        }
    }

    /// Names the first program that is missing.
    pub(crate) fn missing(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Postgres::missing(),
            Self::MariaDb => MariaDb::missing(),
            Self::Redis | Self::RedisCluster => Redis::missing(),
        }
    }

    fn start(self) -> Result<Running> {
        match self {
            Self::Postgres => Postgres::start().map(Running::One),
            Self::MariaDb => MariaDb::start().map(Running::One),
            Self::Redis => Redis::start(RedisOptions::default()).map(Running::One),
            Self::RedisCluster => RedisCluster::start().map(Running::Cluster),
        }
    }

    fn is_given(self) -> bool {
        let given = std::env::var_os(self.variable()).is_some_and(|address| !address.is_empty());
        if given {
            println!("{}: the one that {} names", self.name(), self.variable());
        }
        given
    }
}

impl Running {
    fn address(&self) -> &str {
        match self {
            Self::One(server) => server.address(),
            Self::Cluster(cluster) => cluster.address(),
        }
    }
}

/// What tests are told about databases.
pub(crate) struct Servers {
    running: Vec<(Kind, Running)>,
    skipped: Vec<Kind>,
}

impl Servers {
    /// Starts all databases at once whose address is not given, after installing what is missing where that is possible.
    ///
    /// What can't be had is printed as skipped, or is a failure under `CI=true`.
    pub(crate) fn start(kinds: &[Kind]) -> Result<Self> {
        let wanted: Vec<Kind> = kinds
            .iter()
            .copied()
            .filter(|kind| !kind.is_given())
            .collect();
        let installed = install(&missing_packages(&wanted));
        let started = start_all(&wanted, &installed);
        let (mut running, mut skipped, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, server) in wanted.into_iter().zip(started) {
            match server {
                Ok(server) => {
                    println!("{}: {}={}", kind.name(), kind.variable(), server.address());
                    running.push((kind, server));
                }
                Err(error) => {
                    skipped.push(kind);
                    reasons.push(format!("{}: {error:#}", kind.name()));
                }
            }
        }
        report(&reasons)?;
        Ok(Self { running, skipped })
    }

    /// Answers whether a database could not be had. That was printed.
    pub(crate) fn lack(&self, kind: Kind) -> bool {
        self.skipped.contains(&kind)
    }

    /// Answers the addresses of the servers that were started here. Given ones are in the environment already.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.running
            .iter()
            .map(|(kind, server)| (kind.variable(), server.address()))
    }
}

fn missing_packages(wanted: &[Kind]) -> Vec<&'static str> {
    let lacking = wanted.iter().filter(|kind| kind.missing().is_some());
    let mut packages: Vec<_> = lacking.map(|kind| kind.package()).collect();
    // Invariant: kinds that share a package are neighbours.
    packages.dedup();
    packages
}

fn start_all(wanted: &[Kind], installed: &Result<()>) -> Vec<Result<Running>> {
    thread::scope(|scope| {
        let starting: Vec<_> = wanted
            .iter()
            .map(|kind| scope.spawn(|| start(*kind, installed)))
            .collect();
        starting
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| bail!("the thread that starts it panicked"))
            })
            .collect()
    })
}

fn start(kind: Kind, installed: &Result<()>) -> Result<Running> {
    match kind.missing() {
        Some(program) => bail!("{}", advice(kind, program, installed)),
        None => kind
            .start()
            .with_context(|| format!("starting {}", kind.name())),
    }
}

/// Says what to do about a program that is missing.
fn advice(kind: Kind, program: &str, installed: &Result<()>) -> String {
    let why = match installed {
        Ok(()) => String::new(),
        Err(error) => format!(" ({error:#})"),
    };
    format!(
        "{program} is missing{why}: install the package {}, or set {} to the address of a server",
        kind.package(),
        kind.variable()
    )
}

/// Prints what is left out, or fails under `CI=true`.
pub(crate) fn report(skipped: &[String]) -> Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    if is_ci() {
        bail!("not everything can be tested: {}", skipped.join("; "));
    }
    for line in skipped {
        println!("SKIPPED {line}");
    }
    Ok(())
}

/// Runs any command with private servers: `cargo xtask servers -- <command>`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [dashes, command, rest @ ..] if dashes == "--" => {
            let servers = Servers::start(&Kind::ALL)?;
            program(command).args(rest).envs(servers.variables()).run()
        }
        _ => bail!("usage: cargo xtask servers -- <command> [arguments]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_a_command_are_refused() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(run(&[]).is_err());
        assert!(run(&words("--")).is_err());
        assert!(run(&words("cargo test")).is_err());
    }

    #[test]
    fn each_database_has_a_variable_of_its_own() {
        let variables = Kind::ALL.map(Kind::variable);
        assert_eq!(
            variables,
            [
                "SEATA_TEST_POSTGRES_DSN",
                "SEATA_TEST_MYSQL_DSN",
                "SEATA_TEST_REDIS_URL",
                "SEATA_TEST_REDIS_CLUSTER_URL"
            ]
        );
    }

    #[test]
    fn a_package_that_cannot_be_installed_is_named() {
        let refused = Err(anyhow::anyhow!(
            "only root may run: apt-get install postgresql"
        ));
        assert_eq!(
            advice(Kind::Postgres, "initdb", &refused),
            "initdb is missing (only root may run: apt-get install postgresql): install the package postgresql, \
             or set SEATA_TEST_POSTGRES_DSN to the address of a server"
        );
    }
}
