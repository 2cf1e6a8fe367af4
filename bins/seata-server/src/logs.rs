//! Sends log lines to the standard error output, for people or for machines. The standard output belongs to the program.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal, stderr};
use std::panic::{PanicHookInfo, set_hook};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use seata_config::{LogFilter, LogFormat, LogLevel, LogRule};
use tracing::Metadata;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::lines::{Lines, Room, Writer};

/// Our crates' targets all begin so.
const OURS: &str = "seata";

/// The most that a bare level lets other crates say: at their lowest levels they show what goes over the wire.
const OTHERS_MAX: LevelFilter = LevelFilter::WARN;

/// The target of lines that must not be missing. No filter leaves them out, and there is room for them where others are
/// lost.
pub(crate) const KEPT: &str = "seata_server::logs::kept";

/// How long whoever waits for the last lines to be read does so.
const READ_WITHIN: Duration = Duration::from_secs(1);

static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// Starts logging; once per process.
///
/// # Errors
/// The system has no thread left.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) -> Result<()> {
    let started = Lines::start(stderr(), tell_lost).context("starting the thread of the log")?;
    let ours = LINES.get_or_init(|| started);
    let lines = fmt::layer().with_writer(Queue(Arc::clone(ours)));
    let lines = match format {
        LogFormat::Pretty => lines.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let targets = targets(filter).with_target(KEPT, LevelFilter::WARN);
    registry().with(lines.with_filter(targets)).init();
    set_hook(Box::new(say_panic));
    Ok(())
}

/// Waits until all lines are written, but not for long: nobody may be reading.
pub(crate) fn written() {
    if let Some(lines) = LINES.get() {
        lines.written(READ_WITHIN);
    }
}

/// Waits as [`written`] does where it is dropped, which a panic brings about as well.
pub(crate) struct WrittenAtEnd;

impl Drop for WrittenAtEnd {
    fn drop(&mut self) {
        written();
    }
}

/// Says what is no log line, behind those that came before.
pub(crate) fn say(text: &str) {
    match LINES.get() {
        Some(lines) => lines.add(format!("{text}\n").as_bytes(), Room::Kept),
        None => eprintln!("{text}"),
    }
}

/// Gives each line the room that its target has.
struct Queue(Arc<Lines>);

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Writer<'a>;

    fn make_writer(&'a self) -> Writer<'a> {
        self.0.writer(Room::Shared)
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Writer<'a> {
        match line.target() {
            KEPT => self.0.writer(Room::Kept),
            _ => self.make_writer(),
        }
    }
}

fn tell_lost(lost: u64) {
    tracing::warn!(
        target: KEPT,
        lost,
        "log lines were lost: standard error took them too slowly, or not at all"
    );
}

/// Keeps nobody waiting who lives on: a task that panics takes no thread with it.
fn say_panic(panic: &PanicHookInfo<'_>) {
    say(&told(panic));
    if aborts(panic) {
        written();
    }
}

/// Answers whether the process ends with this panic, as with one out of a drop while another one unwinds. Those that
/// can't unwind come from this file of the standard library, and no others do.
fn aborts(panic: &PanicHookInfo<'_>) -> bool {
    let from = panic.location();
    from.is_some_and(|from| Path::new(from.file()).ends_with("core/src/panicking.rs"))
}

/// Tells of a panic what the usual hook does. That one writes by itself, and would wait for a reader without end.
fn told(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        format!("thread '{name}' {panic}\n{backtrace}")
    } else {
        format!("thread '{name}' {panic}")
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::env::{current_exe, var_os};
    use std::process::Command;

    use tracing::subscriber::with_default;

    use super::*;
    use crate::lines::tests::Scene;

    #[test]
    fn how_many_lines_were_lost_and_the_last_words_are_read_where_others_are_lost() {
        let scene = Scene::full();
        let lines = fmt::layer().with_writer(Queue(Arc::clone(&scene.lines)));
        with_default(registry().with(lines.with_ansi(false)), || {
            tracing::error!("one of many");
            tell_lost(7);
            tracing::error!(target: KEPT, "the last words");
        });
        let read = scene.text();
        assert!(!read.contains("one of many"));
        assert!(read.contains("lost=7") && read.contains("the last words"));
    }

    struct PanicsAtEnd;

    impl Drop for PanicsAtEnd {
        fn drop(&mut self) {
            panic!("another one");
        }
    }

    #[test]
    fn a_panic_that_ends_the_process_is_told_apart() {
        const NAME: &str = "logs::tests::a_panic_that_ends_the_process_is_told_apart";
        const INSIDE: &str = "SEATA_TEST_PANICS";
        if var_os(INSIDE).is_some() {
            set_hook(Box::new(|panic| eprintln!("aborts: {}", aborts(panic))));
            let _at_end = PanicsAtEnd;
            panic!("one");
        }
        let mut again = Command::new(current_exe().unwrap());
        again.args(["--exact", NAME, "--nocapture"]).env(INSIDE, "");
        let said = String::from_utf8(again.output().unwrap().stderr).unwrap();
        let said = said
            .lines()
            .filter_map(|line| line.strip_prefix("aborts: "));
        // The last of them says that one out of a drop can't unwind.
        assert_eq!(said.collect::<Vec<_>>(), ["false", "false", "true"]);
    }
}
