//! The whole bench: which stores, which parts, how much of each, and where the results go.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tokio::runtime::Builder;

use crate::backing::{Backing, Store};
use crate::branches::Branches;
use crate::case::{self, Gids, Place};
use crate::coordinator::{Coordinator, Peer};
use crate::growth::{self, Growth};
use crate::open::{self, Many};
use crate::part::Part;
use crate::report::{Figure, Report, rows};
use crate::rounds::{PeersIn, Plan};
use crate::run::Track;
use crate::running::Programs;
use crate::table::table;
use crate::{overload, scratch, start, syncs};

/// How it is to be measured.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The server's program. `cargo xtask bench` builds it and names it.
    #[arg(long, env = "SEATA_SERVER_BIN", required_unless_present = "null_only")]
    server: Option<PathBuf>,
    /// Measures the null coordinator alone: what this machine can do.
    #[arg(long)]
    null_only: bool,
    /// Which stores, separated by commas, or `all`. Their servers are started, and stopped when all is measured.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "embedded")]
    store: Vec<Choice>,
    /// Which parts of the bench, separated by commas; all that the store has unless it is given.
    #[arg(long, value_delimiter = ',', value_enum)]
    part: Vec<Part>,
    /// Which cases, separated by commas; unless it is given, all on the embedded store, and those that touch the store most on the others.
    #[arg(long, value_delimiter = ',', value_parser = case::names())]
    case: Vec<String>,
    /// Numbers of connections, separated by commas, which take the place of each case's own.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: Vec<u16>,
    /// Measures a peer too: in the base case, or in each case that it has if cases are given.
    #[arg(long, value_enum)]
    peer: Option<Peer>,
    /// The program of dtmrs. `cargo xtask bench --peer dtmrs` installs it and names it.
    #[arg(long, env = "SEATA_BENCH_DTMRS", required_if_eq("peer", "dtmrs"))]
    dtmrs: Option<PathBuf>,
    /// Measures what becomes of the server when there is too much of something, and nothing else.
    #[arg(long, value_delimiter = ',', value_enum)]
    overload: Vec<overload::Part>,
    /// Measures for a shorter time: to see that it works, not to publish.
    #[arg(long)]
    quick: bool,
    /// How often everything is measured.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// How long the load of each run lasts.
    #[arg(long)]
    seconds: Option<f64>,
    /// How many transactions wait while new ones are measured, and are open when the server is killed.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    open: Option<u64>,
    /// How many transactions have ended before new ones are measured beside them.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    ended: Option<u64>,
    /// How all are named in the parts growth and ended: stores that keep rows by name pay for chance.
    #[arg(long, value_enum, default_value = "random")]
    gids: Gids,
    /// The folder for data while it is measured, and for the results: `bench-<store>.json`.
    #[arg(long, default_value_os_t = target())]
    out: PathBuf,
}

/// A store, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    All,
    Embedded,
    Sled,
    Redis,
    RedisEverysec,
    Postgres,
    Mysql,
}

impl Options {
    fn stores(&self) -> Vec<Store> {
        let chosen = |store: &Store| {
            let is_chosen = |choice: &Choice| match choice {
                Choice::All => true,
                Choice::Embedded => *store == Store::Embedded,
                Choice::Sled => *store == Store::Sled,
                Choice::Redis => *store == Store::Redis,
                Choice::RedisEverysec => *store == Store::RedisEverysec,
                Choice::Postgres => *store == Store::Postgres,
                Choice::Mysql => *store == Store::Mysql,
            };
            self.store.iter().any(is_chosen)
        };
        Store::ALL.into_iter().filter(chosen).collect()
    }

    fn parts(&self, store: Store) -> Vec<Part> {
        let chosen = |part: &Part| match self.part.as_slice() {
            _ if !self.overload.is_empty() => false,
            _ if self.null_only => *part == Part::Cases,
            [] => part.has(store),
            chosen => part.has(store) && chosen.contains(part),
        };
        Part::ALL.into_iter().filter(chosen).collect()
    }

    fn plan(&self, store: Store) -> Plan {
        let (rounds, seconds) = if self.quick { (1, 1.0) } else { (3, 2.0) };
        let place = match store {
            Store::Embedded => Place::Embedded,
            Store::Sled | Store::Redis | Store::RedisEverysec | Store::Mysql | Store::Postgres => {
                Place::Elsewhere
            }
        };
        let connections: Vec<usize> = self.connections.iter().copied().map(usize::from).collect();
        let is_asked_for = !(self.case.is_empty() && connections.is_empty());
        Plan {
            cases: case::chosen(&self.case, &connections, place),
            coordinators: self.coordinators(store),
            peers_in: if is_asked_for {
                PeersIn::Each
            } else {
                PeersIn::Base
            },
            rounds: self.rounds.unwrap_or(rounds).into(),
            seconds: self.seconds.unwrap_or(seconds),
        }
    }

    fn coordinators(&self, store: Store) -> Vec<Coordinator> {
        if self.null_only {
            return vec![Coordinator::Null];
        }
        let peer = self.peer.filter(|_| store != Store::Sled);
        [Coordinator::Null, Coordinator::Server]
            .into_iter()
            .chain(peer.map(Peer::coordinator))
            .collect()
    }

    fn open(&self) -> u64 {
        self.open.unwrap_or(if self.quick { 5_000 } else { 50_000 })
    }

    fn ended(&self) -> u64 {
        self.ended
            .unwrap_or(if self.quick { 5_000 } else { 200_000 })
    }

    fn branches(&self, plan: &Plan) -> Branches {
        Branches {
            rounds: plan.rounds,
            in_all: if self.quick { 4_000 } else { 40_000 },
        }
    }

    fn growth(&self, others: u64, plan: &Plan) -> Growth {
        Growth {
            others,
            gids: self.gids,
            rounds: plan.rounds,
            seconds: plan.seconds,
        }
    }

    fn traced(&self) -> u64 {
        if self.quick { 100 } else { 1_000 }
    }

    /// Starts the store.
    fn track(&self, store: Store) -> Result<Track> {
        Ok(Track {
            backing: Backing::start(store)?,
            programs: Programs {
                server: self.server.clone(),
                dtmrs: self.dtmrs.clone(),
                within: self.out.clone(),
            },
        })
    }

    async fn measure(&self, store: Store) -> Result<Report> {
        let plan = self.plan(store);
        let (mut runs, mut figures) = (Vec::new(), Vec::new());
        for part in self.parts(store) {
            eprintln!("measuring {}: {}", store.name(), part.name());
            match part {
                Part::Single => figures.extend(self.single(&plan).await?),
                Part::Cases => {
                    runs = plan.run(&self.track(store)?).await?;
                }
                Part::Branches => {
                    figures.extend(self.branches(&plan).measure(&self.track(store)?).await?);
                }
                Part::Growth => {
                    let growth = self.growth(self.open(), &plan);
                    figures.extend(growth::beside_open(&self.track(store)?, growth).await?);
                }
                Part::Ended => {
                    let growth = self.growth(self.ended(), &plan);
                    figures.extend(growth::beside_ended(&self.track(store)?, growth).await?);
                }
                Part::Open => figures.extend(
                    open::measure(self.binary()?, &self.out, Many::new(self.open())).await?,
                ),
            }
        }
        if !self.overload.is_empty() {
            figures = overload::measure(&self.overload, self.binary()?, &self.out).await?;
        }
        Ok(Report {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            rows: rows(&plan, &runs),
            store,
            plan,
            figures,
            runs,
        })
    }

    async fn single(&self, plan: &Plan) -> Result<Vec<Figure>> {
        let (binary, within) = (self.binary()?, self.out.as_path());
        let mut figures = vec![syncs::probe(within)?];
        figures.extend(start::measure(binary, within, plan.rounds).await?);
        figures.extend(syncs::measure(binary, within, self.traced()).await?);
        Ok(figures)
    }

    fn binary(&self) -> Result<&Path> {
        self.server.as_deref().context("there is no server")
    }
}

/// Measures, writes the JSON of each store, and prints the tables.
///
/// # Errors
/// A process can't be started, or a transaction was lost or doubled.
pub fn run(options: &Options) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("starting a runtime")?;
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("making {}", options.out.display()))?;
    scratch::sweep(&options.out)?;
    let mut reports = Vec::new();
    for store in options.stores() {
        let report = runtime.block_on(options.measure(store))?;
        let path = options.out.join(format!("bench-{}.json", store.name()));
        let json = serde_json::to_vec_pretty(&report).context("writing the results")?;
        std::fs::write(&path, json).with_context(|| format!("writing {}", path.display()))?;
        reports.push(report);
    }
    let mut out = std::io::stdout();
    writeln!(out, "{}", table(&reports)).context("printing the table")
}

/// Answers the build folder, whose disk is a real one.
fn target() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let named = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(named)
}
