//! Sums up many seeds, prints them for a person, and says whether enough went wrong to mean anything.

use std::fmt;

use crate::faults::Counts;
use crate::run::Outcome;

/// From so many seeds on, the sums must reach the bounds below.
const SEEDS_MIN: u64 = 500;

/// The fewest transactions of such a run.
const TRANSACTIONS_MIN: u64 = 50_000;

/// How often each kind of fault, phase of a takeover and stray order must have happened.
const EACH_MIN: u64 = 100;

/// The sums of many seeds.
#[derive(Debug, Default)]
pub struct Report {
    seeds: u64,
    transactions: u64,
    events: u64,
    virtual_ms: u64,
    counts: Counts,
    failed: Vec<Outcome>,
    kept: Vec<Outcome>,
}

impl Report {
    /// Adds one seed.
    pub fn add(&mut self, outcome: Outcome) {
        self.seeds += 1;
        self.transactions += outcome.transactions;
        self.events += outcome.events;
        self.virtual_ms += outcome.virtual_ms;
        self.counts.add(&outcome.counts);
        if !outcome.is_clean() {
            self.failed.push(outcome);
        } else if !outcome.lines.is_empty() {
            self.kept.push(outcome);
        }
    }

    /// Adds another report.
    pub fn merge(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.transactions += other.transactions;
        self.events += other.events;
        self.virtual_ms += other.virtual_ms;
        self.counts.add(&other.counts);
        self.failed.extend(other.failed);
        self.kept.extend(other.kept);
        self.failed.sort_by_key(|outcome| outcome.seed);
    }

    /// Answers the seeds that broke a promise or panicked.
    #[must_use]
    pub fn failed(&self) -> &[Outcome] {
        &self.failed
    }

    /// Answers the seeds whose events were kept.
    pub fn kept(&self) -> impl Iterator<Item = &Outcome> {
        self.kept
            .iter()
            .chain(&self.failed)
            .filter(|outcome| !outcome.lines.is_empty())
    }

    /// Answers the sums.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Says what happened too seldom for so many seeds to prove anything.
    #[must_use]
    pub fn shortfalls(&self) -> Vec<String> {
        if self.seeds < SEEDS_MIN {
            return Vec::new();
        }
        let few = (self.transactions < TRANSACTIONS_MIN).then(|| {
            format!(
                "{} transactions, fewer than {TRANSACTIONS_MIN}",
                self.transactions
            )
        });
        let seldom = self
            .counts
            .rows()
            .filter(|(_, count)| *count < EACH_MIN)
            .map(|(word, count)| format!("{word}: {count} times, fewer than {EACH_MIN}"));
        few.into_iter().chain(seldom).collect()
    }

    /// Answers whether every seed was clean and enough happened.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failed.is_empty() && self.shortfalls().is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MS_PER_HOUR: f64 = 3_600_000.0;
        let hours = f64::from(u32::try_from(self.virtual_ms / 1_000).unwrap_or(u32::MAX)) * 1_000.0
            / MS_PER_HOUR;
        writeln!(
            f,
            "{} seeds, {} transactions, {} events, {hours:.2} virtual hours",
            self.seeds, self.transactions, self.events
        )?;
        for (word, count) in self.counts.rows() {
            writeln!(f, "{count:>9}  {word}")?;
        }
        for outcome in &self.failed {
            writeln!(
                f,
                "\nseed {} failed (trace hash {:016x}):",
                outcome.seed, outcome.hash
            )?;
            for violation in &outcome.violations {
                writeln!(f, "  {violation}")?;
            }
            for panic in &outcome.panics {
                writeln!(f, "  panic: {panic}")?;
            }
            writeln!(
                f,
                "  again, with every event: cargo xtask sim --seed {} --trace",
                outcome.seed
            )?;
        }
        for shortfall in self.shortfalls() {
            writeln!(f, "too seldom: {shortfall}")?;
        }
        Ok(())
    }
}
