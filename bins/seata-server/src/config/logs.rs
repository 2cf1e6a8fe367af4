//! Which log lines are wanted.

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::allowed::Allowed;

/// Our crates' targets all begin so.
const OURS: &str = "seata";

/// The most that a bare level lets other crates say: at their lowest levels they show what goes over the wire.
const OTHERS_MAX: LevelFilter = LevelFilter::WARN;

/// A level for our crates, or pairs `target=level`.
pub(crate) struct LogFilter;

impl Allowed for LogFilter {
    type Value = Targets;

    fn read(&self, text: &str) -> Option<Targets> {
        text.split(',').try_fold(Targets::new(), |targets, part| {
            Some(match part.split_once('=') {
                Some((target, level)) => targets.with_target(target, level_of(level)?),
                None => {
                    let level = level_of(part)?;
                    targets
                        .with_default(level.min(OTHERS_MAX))
                        .with_target(OURS, level)
                }
            })
        })
    }

    fn said(&self) -> String {
        "off, error, warn, info, debug or trace, alone or as target=level pairs behind commas"
            .into()
    }
}

fn level_of(word: &str) -> Option<LevelFilter> {
    match word {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}
