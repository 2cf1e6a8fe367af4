//! Everything that happened, in order, as one number and, if asked for, as lines to read.

use std::fmt::{self, Write as _};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// Whether the lines are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Only the hash.
    Hash,
    /// The lines as well.
    Lines,
}

/// The hash of all events so far.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: Fnv,
    lines: Option<Vec<String>>,
    events: u64,
}

#[derive(Debug)]
struct Fnv(u64);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = text.bytes().fold(self.0, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
        });
        Ok(())
    }
}

impl Trace {
    pub(crate) fn new(keep: Keep) -> Self {
        let lines = match keep {
            Keep::Hash => None,
            Keep::Lines => Some(Vec::new()),
        };
        Self {
            hash: Fnv(FNV_OFFSET),
            lines,
            events: 0,
        }
    }

    pub(crate) fn note(&mut self, at_ms: u64, what: fmt::Arguments<'_>) {
        self.events += 1;
        // Writing into a hash can't fail.
        let _ = writeln!(self.hash, "{at_ms} {what}");
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9.3} s  {what}", to_secs(at_ms)));
        }
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash.0
    }

    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}

fn to_secs(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}
