//! The Seata Server binary: reads its configuration, puts the crates together, and says what it does.

mod cli;
mod config;
mod demo;
mod descriptors;
mod housekeeping;
mod logs;
mod metrics;
mod serve;
mod server;
mod signals;

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Runtime};

use crate::cli::Task;
use crate::config::{Given, Settings};

/// How long a thread that still waits for the disk may hold up the exit.
const EXIT_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Only fails if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli::read().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seata-server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Serve(given) => serve(&given),
        Task::Config(given) => {
            Settings::read(&given)?;
            config::print(&given, &mut stdout()).context("printing the configuration")
        }
        Task::Demo => on_runtime(demo::run),
    }
}

fn serve(given: &Given) -> Result<()> {
    let settings = Settings::read(given)?;
    logs::start(settings.log.clone(), settings.log_format);
    on_runtime(async || serve::serve(&settings, metrics::start()?).await)
}

fn on_runtime(task: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let runtime: Runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting threads")?;
    let done = runtime.block_on(task());
    runtime.shutdown_timeout(EXIT_WITHIN);
    done
}
