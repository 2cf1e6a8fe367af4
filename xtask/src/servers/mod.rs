//! Private database servers for tests: each in a temporary folder, on a free port, gone with the command that needed them.
//!
//! An address that the environment already gives is used as it is. Nothing here touches a server that it did not start.

mod guard;
mod mariadb;
mod postgres;
mod redis;

use anyhow::{Context, Result, bail};

use crate::packages::install;
use crate::run::{is_ci, program};
use guard::Guarded;

/// A database that tests may ask for.
struct Kind {
    name: &'static str,
    /// Hands its address to the tests.
    variable: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// Names the first program that is missing.
    missing: fn() -> Option<&'static str>,
    start: fn() -> Result<Server>,
}

/// A server that runs until it is dropped.
struct Server {
    address: String,
    // Held: the server ends with it.
    _guarded: Guarded,
}

const KINDS: [Kind; 3] = [postgres::KIND, mariadb::KIND, redis::KIND];

/// What tests are told about databases.
pub(crate) struct Servers {
    running: Vec<(&'static str, Server)>,
}

impl Servers {
    /// Starts each database whose address is not given, after installing what is missing where that is possible.
    ///
    /// What can't be had is printed as skipped, or is a failure under `CI=true`.
    pub(crate) fn start() -> Result<Self> {
        let wanted: Vec<&Kind> = KINDS.iter().filter(|kind| !is_given(kind)).collect();
        let packages: Vec<&str> = wanted
            .iter()
            .filter(|kind| (kind.missing)().is_some())
            .map(|kind| kind.package)
            .collect();
        let installed = install(&packages);
        let mut running = Vec::new();
        let mut skipped = Vec::new();
        for kind in wanted {
            match started(kind, &installed) {
                Ok(server) => running.push((kind.variable, server)),
                Err(error) => skipped.push(format!("{}: {error:#}", kind.name)),
            }
        }
        report(&skipped)?;
        Ok(Self { running })
    }

    /// Answers the addresses of the servers that were started here. Given ones are in the environment already.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.running
            .iter()
            .map(|(variable, server)| (*variable, server.address.as_str()))
    }
}

fn is_given(kind: &Kind) -> bool {
    let given = std::env::var_os(kind.variable).is_some_and(|address| !address.is_empty());
    if given {
        println!("{}: the one that {} names", kind.name, kind.variable);
    }
    given
}

fn started(kind: &Kind, installed: &Result<()>) -> Result<Server> {
    if let Some(program) = (kind.missing)() {
        let why = match installed {
            Ok(()) => String::new(),
            Err(error) => format!(" ({error:#})"),
        };
        bail!(
            "{program} is missing{why}: install the package {}, or set {} to the address of a server",
            kind.package,
            kind.variable
        );
    }
    let server = (kind.start)().with_context(|| format!("starting {}", kind.name))?;
    println!("{}: {}", kind.name, server.address);
    Ok(server)
}

fn report(skipped: &[String]) -> Result<()> {
    if skipped.is_empty() {
        return Ok(());
    }
    if is_ci() {
        bail!("not every store can be tested: {}", skipped.join("; "));
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
            let servers = Servers::start()?;
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
        let variables = KINDS.map(|kind| kind.variable);
        assert_eq!(
            variables,
            [
                "SEATA_TEST_POSTGRES_DSN",
                "SEATA_TEST_MYSQL_DSN",
                "SEATA_TEST_REDIS_URL"
            ]
        );
    }
}
