//! Sends log lines to the standard error output, for people or for machines. The standard output belongs to the program.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::config::LogFormat;

/// Starts logging; once per process.
pub(crate) fn start(filter: Targets, format: LogFormat) {
    let lines = fmt::layer().with_writer(stderr);
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry().with(lines.with_filter(filter)).init();
}
