//! The command line: a flag per key, and what else the program can do.

use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;

use anyhow::Result;
use seata_config::{ConfigFile, Given, KEYS};

/// What the program is to do.
pub(crate) enum Task {
    /// Serve until it is told to stop.
    Serve(Given),
    /// Print what is set, and where.
    Config(Given),
    /// Bring the tables of a database up to date.
    Migrate(Given),
    /// Show two sagas on a server that is gone afterwards.
    Demo,
}

/// Reads the command line, and what it names. Ends the process where the command line is wrong, or asks for help.
///
/// # Errors
/// The configuration has an unknown key, or a file that can't be read.
pub(crate) fn read() -> Result<Task> {
    let matches = command().get_matches();
    match matches.subcommand() {
        Some(("config", matches)) => Ok(Task::Config(given(matches)?)),
        Some(("migrate", matches)) => Ok(Task::Migrate(given(matches)?)),
        Some(("demo", _)) => Ok(Task::Demo),
        Some(_) | None => Ok(Task::Serve(given(&matches)?)),
    }
}

fn command() -> Command {
    Command::new("seata-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Seata Server coordinates distributed transactions: without a command it serves until SIGTERM or SIGINT.")
        .after_help(
            "A key is taken from its flag, else from the environment (SEATA_LEASE_SECS for --lease-secs), else from \
             conf.yaml (lease_secs), else it has its default.\n\n\
             -h shows each key in a line; --help also says what it may be.\n\n\
             Exit codes: 0 stopped in order; 1 it could not start, the store failed, or a second signal came; \
             2 the command line has an unknown flag or command.",
        )
        .args_conflicts_with_subcommands(true)
        .args(arguments())
        .subcommand(
            Command::new("config")
                .about("Print the effective configuration, each value with where it comes from")
                .args(arguments()),
        )
        .subcommand(
            Command::new("migrate")
                .about("Bring the tables of the chosen store's databases up to date, and say what was done")
                .args(arguments()),
        )
        .subcommand(Command::new("demo").about(
            "Start a server on a temporary folder, run one saga that commits and one that is compensated, show both",
        ))
}

fn arguments() -> impl Iterator<Item = Arg> {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .help("The configuration file, instead of conf.yaml if that is there")
        .value_parser(value_parser!(PathBuf));
    let keys = KEYS.iter().map(|key| {
        Arg::new(key.name)
            .long(key.flag())
            .value_name("VALUE")
            .help(format!("{} [default: {}]", key.doc.trim(), key.default))
            .long_help(format!(
                "{} It must be {}. [default: {}]",
                key.doc.trim(),
                (key.said)(),
                key.default
            ))
            .allow_hyphen_values(true)
            .help_heading("Settings")
    });
    std::iter::once(file).chain(keys)
}

fn given(matches: &ArgMatches) -> Result<Given> {
    let file = match matches.get_one::<PathBuf>("config") {
        Some(path) => ConfigFile::Named(path.clone()),
        None => ConfigFile::IfThere,
    };
    let mut given = Given::defaults()
        .file(&file)?
        .environment(std::env::vars_os())?;
    for key in KEYS {
        if let Some(text) = matches.get_one::<String>(key.name) {
            given.flag(key, text.clone());
        }
    }
    Ok(given)
}
