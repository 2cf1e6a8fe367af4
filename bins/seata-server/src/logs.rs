//! Sends log lines to the standard error output, for people or for machines. The standard output belongs to the program.

use std::io::{IsTerminal, stderr};

use seata_config::{LogFilter, LogFormat, LogLevel, LogRule};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

/// Our crates' targets all begin so.
const OURS: &str = "seata";

/// The most that a bare level lets other crates say: at their lowest levels they show what goes over the wire.
const OTHERS_MAX: LevelFilter = LevelFilter::WARN;

/// Starts logging; once per process.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) {
    let lines = fmt::layer().with_writer(stderr);
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(lines.with_filter(targets(filter))).init();
}

fn targets(filter: &LogFilter) -> Targets {
    let all = Targets::new();
    filter.0.iter().fold(all, |targets, rule| match rule {
        LogRule::Target(target, at) => targets.with_target(target.as_str(), level(*at)),
        LogRule::Bare(at) => targets
            .with_default(level(*at).min(OTHERS_MAX))
            .with_target(OURS, level(*at)),
    })
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
