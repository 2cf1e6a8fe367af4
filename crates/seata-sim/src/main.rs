//! Runs seeds from the command line and says what came of them.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow};
use clap::Parser;
use seata_core::planted::Planted;
use seata_sim::{Keep, Report, run};

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
    let report = run_all(
        first,
        arguments.seeds,
        bug,
        arguments.threads,
        if arguments.trace {
            Keep::Lines
        } else {
            Keep::Hash
        },
    )?;
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

/// Runs the seeds on a few threads, each seed on one.
fn run_all(
    first: u64,
    count: u64,
    bug: Option<Planted>,
    threads: u64,
    keep: Keep,
) -> anyhow::Result<Report> {
    let next = Arc::new(AtomicU64::new(first));
    let workers: Vec<_> = (0..threads.clamp(1, count.max(1)))
        .map(|_| {
            let next = Arc::clone(&next);
            std::thread::spawn(move || {
                let mut report = Report::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return report;
                    }
                    report.add(run(seed, bug, keep));
                }
            })
        })
        .collect();
    let mut whole = Report::default();
    for worker in workers {
        let report = worker.join().map_err(|_| anyhow!("a worker panicked"));
        whole.merge(report.context("running seeds")?);
    }
    Ok(whole)
}
