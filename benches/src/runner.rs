//! The whole bench: which parts, how much of each, and where the results go.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use tokio::runtime::Builder;

use crate::backing::{Backing, Store};
use crate::figures::count;
use crate::open::{self, Many};
use crate::report::{Figure, Report, mebibytes, rows};
use crate::server::Home;
use crate::table::table;
use crate::throughput::{Plan, Run, Stage};
use crate::{start, syncs};

/// How it is to be measured.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The server's program. `cargo xtask bench` builds it and names it.
    #[arg(long, env = "SEATA_SERVER_BIN", required_unless_present = "null_only")]
    server: Option<PathBuf>,
    /// Measures the null coordinator alone: what this machine can do.
    #[arg(long)]
    null_only: bool,
    /// Which store: its server is started, and stopped when all is measured.
    #[arg(long, value_enum, default_value = "embedded")]
    store: Store,
    /// Measures for a shorter time: to see that it works, not to publish.
    #[arg(long)]
    quick: bool,
    /// The numbers of connections, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: Vec<u16>,
    /// How often everything is measured.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// How long the load of each run lasts.
    #[arg(long)]
    seconds: Option<f64>,
    /// How many transactions are open when the server is killed.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    open: Option<u64>,
    /// Where the results are written.
    #[arg(long, default_value_os_t = target().join("bench.json"))]
    json: PathBuf,
}

impl Options {
    fn plan(&self) -> Plan {
        let (connections, rounds, seconds): (&[u16], u16, f64) = if self.quick {
            (&[1, 64], 3, 1.0)
        } else {
            (&[1, 32, 64, 128], 5, 4.0)
        };
        let chosen = match self.connections.as_slice() {
            [] => connections,
            chosen => chosen,
        };
        Plan {
            connections: chosen.iter().copied().map(usize::from).collect(),
            rounds: self.rounds.unwrap_or(rounds).into(),
            seconds: self.seconds.unwrap_or(seconds),
        }
    }

    fn many(&self) -> Many {
        let (transactions, seconds) = if self.quick {
            (5_000, 20)
        } else {
            (100_000, 120)
        };
        Many {
            transactions: self.open.unwrap_or(transactions),
            asked_every: Duration::from_secs(seconds),
        }
    }

    fn traced(&self) -> u64 {
        if self.quick { 100 } else { 1_000 }
    }
}

/// Measures, prints the tables and writes the JSON.
///
/// # Errors
/// A process can't be started, or a transaction was lost or doubled.
pub fn run(options: &Options) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting a runtime")?;
    let report = runtime.block_on(measure(options))?;
    let json = serde_json::to_vec_pretty(&report).context("writing the results")?;
    std::fs::write(&options.json, json)
        .with_context(|| format!("writing {}", options.json.display()))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", table(&report)).context("printing the table")
}

async fn measure(options: &Options) -> Result<Report> {
    let plan = options.plan();
    let within = options.json.parent().context("finding the folder")?;
    let (runs, figures) = match options.server.as_deref().filter(|_| !options.null_only) {
        Some(binary) => all(options, &plan, binary, within).await?,
        None => {
            let mut stage = Stage::set(None, Backing::start(Store::Embedded)?).await?;
            (stage.runs(&plan).await?, Vec::new())
        }
    };
    Ok(Report {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        rows: rows(&plan, &runs),
        store: options.store,
        plan,
        figures,
        runs,
    })
}

async fn all(
    options: &Options,
    plan: &Plan,
    binary: &Path,
    within: &Path,
) -> Result<(Vec<Run>, Vec<Figure>)> {
    if options.store != Store::Embedded {
        says("throughput");
        return throughput(options.store, plan, binary, within).await;
    }
    let mut figures = vec![syncs::probe(within)?];
    says("start and rest");
    figures.extend(start::measure(binary, within, plan.rounds).await?);
    says("durable waits");
    figures.extend(syncs::measure(binary, within, options.traced()).await?);
    says("throughput");
    let (runs, growth) = throughput(options.store, plan, binary, within).await?;
    figures.extend(growth);
    says("open transactions and recovery");
    figures.extend(open::measure(binary, within, options.many()).await?);
    Ok((runs, figures))
}

async fn throughput(
    store: Store,
    plan: &Plan,
    binary: &Path,
    within: &Path,
) -> Result<(Vec<Run>, Vec<Figure>)> {
    let backing = Backing::start(store)?;
    let embedded = backing.is_embedded();
    let home = Home::new(binary, within)?.on(&backing);
    let mut stage = Stage::set(Some(home.start().await?), backing).await?;
    let runs = stage.runs(plan).await?;
    let resident = mebibytes(stage.resident_bytes()?);
    let ended: u64 = runs.iter().map(Run::stored).sum();
    let mut figures = vec![
        Figure::new("resident memory after all runs", resident, "MiB"),
        Figure::new("transactions that the runs stored", count(ended), ""),
    ];
    if embedded {
        let disk = count(home.bytes()?) / count(ended.max(1));
        figures.push(Figure::new("disk for each of them", disk, "bytes"));
    }
    Ok((runs, figures))
}

fn says(part: &str) {
    eprintln!("measuring: {part}");
}

/// Answers the build folder, whose disk is a real one.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(named)
}
