//! The Seata Server binary: reads its configuration, puts the crates together, and says what it does.

mod cli;
mod demo;
mod descriptors;
mod housekeeping;
mod lines;
mod logs;
mod metrics;
mod serve;
mod server;
mod signals;
mod stores;

use std::io::stdout;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mimalloc::MiMalloc;
use seata_config::{Given, Settings};
use seata_http::{OriginError, Origins};
use tokio::runtime::{Builder, Runtime};

use crate::cli::Task;

/// The system's own takes a tenth more processor time. Without huge pages: idle, it would hold 11 MB more.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long a thread that still waits for the disk may hold up the exit.
const EXIT_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Only fails if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _waits = logs::WrittenAtEnd;
    match cli::read().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logs::say(&format!("seata-server: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Serve(given) => serve(&given),
        Task::Config(given) => {
            read(&given)?;
            seata_config::print(&given, &mut stdout()).context("printing the configuration")
        }
        Task::Migrate(given) => {
            let settings = read(&given)?;
            logs::start(&settings.log, settings.log_format)?;
            on_runtime(async || stores::migrate(&settings, demo::say).await)
        }
        Task::Demo => on_runtime(demo::run),
    }
}

fn serve(given: &Given) -> Result<()> {
    let settings = read(given)?;
    logs::start(&settings.log, settings.log_format)?;
    on_runtime(async || serve::serve(&settings, metrics::start()?).await)
}

/// Reads the settings, and has those looked at that only another crate can judge.
fn read(given: &Given) -> Result<Settings> {
    let settings = Settings::read(given)?;
    origins(&settings).map_err(|_| given.refusal("cors_origins"))?;
    Ok(settings)
}

fn origins(settings: &Settings) -> Result<Origins, OriginError> {
    let origins = settings.cors_origins.as_deref().map(Origins::parse);
    origins.transpose().map(Option::unwrap_or_default)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_no_browser_sends_as_an_origin_is_refused_by_the_key() {
        for text in ["*", "https://a.example/"] {
            let said = read(&Given::defaults().with("cors_origins", text)).unwrap_err();
            let said = said.to_string();
            assert!(said.contains("cors_origins is"), "{said}");
            assert!(said.contains("it must be none, or origins"), "{said}");
        }
    }
}
