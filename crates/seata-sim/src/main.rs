//! Runs seeds from the command line and says what came of them.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use seata_core::planted::Planted;
use seata_sim::{Keep, run_many};

/// Simulates coordinators with seeded faults and judges them from outside.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first seed, or the only one.
    #[arg(long)]
    seed: Option<u64>,
    /// Plant this bug.
    #[arg(long)]
    planted: Option<String>,
    /// Print every event of every seed.
    #[arg(long)]
    trace: bool,
    /// Run so many seeds at a time.
    #[arg(long, default_value_t = 2)]
    threads: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let bug = arguments.planted.as_deref().map(find_bug).transpose()?;
    let first = arguments.seed.unwrap_or(1);
    let mut out = std::io::stdout().lock();
    let report = run_many(
        first,
        arguments.seeds,
        bug,
        arguments.threads,
        if arguments.trace {
            Keep::Lines
        } else {
            Keep::Hash
        },
    );
    if arguments.trace {
        for outcome in report.kept() {
            for line in &outcome.lines {
                writeln!(out, "{line}")?;
            }
        }
    }
    write!(out, "{report}")?;
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn find_bug(name: &str) -> anyhow::Result<Planted> {
    let known = || Planted::ALL.map(|bug| format!("{bug:?}")).join(", ");
    Planted::ALL
        .into_iter()
        .find(|bug| format!("{bug:?}") == name)
        .ok_or_else(|| anyhow!("no planted bug {name}: give one of {}", known()))
}
