//! Which log lines are wanted.

use crate::allowed::Allowed;

/// How loud a line must be to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing is.
    Off,
    /// A person must act.
    Error,
    /// Something is wrong that may mend itself.
    Warn,
    /// Start and stop, and little else.
    Info,
    /// For whoever works on the server.
    Debug,
    /// All of it.
    Trace,
}

/// What holds for some lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogRule {
    /// For all lines that no other rule names.
    Bare(LogLevel),
    /// For the lines of one target.
    Target(String, LogLevel),
}

/// Which log lines are wanted: rules, the later over the earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFilter(pub Vec<LogRule>);

/// A level, or pairs `target=level`.
pub(crate) struct LogRules;

impl Allowed for LogRules {
    type Value = LogFilter;

    fn read(&self, text: &str) -> Option<LogFilter> {
        let rules = text.split(',').map(|part| match part.split_once('=') {
            Some((target, level)) => Some(LogRule::Target(target.to_owned(), level_of(level)?)),
            None => Some(LogRule::Bare(level_of(part)?)),
        });
        rules.collect::<Option<_>>().map(LogFilter)
    }

    fn said(&self) -> String {
        "off, error, warn, info, debug or trace, alone or as target=level pairs behind commas"
            .into()
    }
}

fn level_of(word: &str) -> Option<LogLevel> {
    match word {
        "off" => Some(LogLevel::Off),
        "error" => Some(LogLevel::Error),
        "warn" => Some(LogLevel::Warn),
        "info" => Some(LogLevel::Info),
        "debug" => Some(LogLevel::Debug),
        "trace" => Some(LogLevel::Trace),
        _ => None,
    }
}
