//! The parts of the bench, in the order in which they are measured.

use clap::ValueEnum;

use crate::backing::Store;

/// What is measured of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What a server costs that does nothing, and what a durable write costs here. Embedded alone.
    Single,
    /// Runs against the null coordinator.
    Cases,
    /// What each branch costs in sagas of up to 1,000. Embedded alone.
    Branches,
    /// What a new transaction costs beside many that wait.
    Growth,
    /// What a new transaction costs beside many that have ended, and a start on them. Embedded alone.
    Ended,
    /// Many open transactions, and recovery. Embedded alone.
    Open,
}

impl Part {
    pub(crate) const ALL: [Self; 6] = [
        Self::Single,
        Self::Cases,
        Self::Branches,
        Self::Growth,
        Self::Ended,
        Self::Open,
    ];

    /// Says whether it is measured on a store.
    pub(crate) fn has(self, store: Store) -> bool {
        match self {
            Self::Cases | Self::Growth => true,
            Self::Single | Self::Branches | Self::Ended | Self::Open => store == Store::Embedded,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "start, rest and durable waits",
            Self::Cases => "cases",
            Self::Branches => "sagas of many branches",
            Self::Growth => "growth",
            Self::Ended => "ended transactions",
            Self::Open => "open transactions and recovery",
        }
    }
}
