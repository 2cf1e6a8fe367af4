//! The command line: the runner, or one of the processes that it starts from the same binary.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use seata_bench::{Options, Role, run};

#[derive(Parser)]
#[command(about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Is one of the processes that a run consists of.
    #[command(hide = true)]
    Role {
        #[command(subcommand)]
        role: Role,
    },
}

fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    match cli.command {
        Some(Command::Role { role }) => role.play(),
        None => run(&cli.options),
    }
}
