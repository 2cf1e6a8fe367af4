//! How one participant treats one branch. Drawn before the run; the participant plays it.

use seata_core::Operation;

use crate::dice::Dice;

/// From which arrival on an operation is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refuses {
    Never,
    /// From this arrival on, counted from 1, unless it took effect before.
    From(u32),
    /// The first ones, counted from 1, up to this.
    UpTo(u32),
}

impl Refuses {
    pub(crate) const fn at(self, arrival: u32) -> bool {
        match self {
            Self::Never => false,
            Self::From(first) => arrival >= first,
            Self::UpTo(last) => arrival <= last,
        }
    }
}

/// How one operation is treated. The counts say for how many of the first arrivals it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) service_ms: u64,
    pub(crate) slow_count: u32,
    pub(crate) slow_ms: u64,
    pub(crate) errors_before: u32,
    pub(crate) errors_after: u32,
    pub(crate) ongoing: u32,
    pub(crate) refuses: Refuses,
}

impl Manner {
    fn plain(dice: &mut Dice) -> Self {
        Self {
            service_ms: dice.span(1..60),
            slow_count: 0,
            slow_ms: 0,
            errors_before: 0,
            errors_after: 0,
            ongoing: 0,
            refuses: Refuses::Never,
        }
    }

    pub(crate) const fn service(&self, arrival: u32) -> u64 {
        if arrival <= self.slow_count {
            self.slow_ms
        } else {
            self.service_ms
        }
    }
}

/// When a participant answers nothing at all, in ms from the beginning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outages(pub(crate) Vec<(u64, u64)>);

impl Outages {
    pub(crate) fn covers(&self, at_ms: u64) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..*to).contains(&at_ms))
    }
}

/// How one branch is treated.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    /// Of the operation that comes first: the action or the try.
    pub(crate) first: Manner,
    pub(crate) confirm: Manner,
    /// Of the operation that takes the work back: the compensation or the cancel.
    pub(crate) back: Manner,
    pub(crate) outages: Outages,
}

/// What a transaction's limits mean for its participants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) request_timeout_ms: u64,
    pub(crate) has_deadline: bool,
    pub(crate) lease_ms: u64,
    pub(crate) begins_ms: u64,
    pub(crate) faults_ms: u64,
}

impl Behaviour {
    pub(crate) fn draw(dice: &mut Dice, limits: Limits) -> Self {
        let mut behaviour = Self {
            first: Manner::plain(dice),
            confirm: draw_last(dice, limits),
            back: draw_last(dice, limits),
            outages: Outages::default(),
        };
        match dice.count(0..100) {
            0..50 => {}
            50..58 => behaviour.first.refuses = Refuses::From(1),
            58..64 => refuse_after_unknown(dice, &mut behaviour, limits),
            64..70 => behaviour.first.errors_after = dice.count(1..3),
            70..74 => behaviour.first.errors_before = dice.count(1..4),
            74..80 => be_slow(dice, &mut behaviour.first, limits),
            80..86 => be_ongoing(dice, &mut behaviour.first, limits),
            86..92 => behaviour.outages = dead(dice, limits),
            92..96 => behaviour.outages = flapping(dice, limits),
            _ => be_forgetful(&mut behaviour.first, limits),
        }
        behaviour
    }

    pub(crate) const fn manner(&self, operation: Operation) -> &Manner {
        match operation {
            Operation::Action | Operation::Try => &self.first,
            Operation::Confirm => &self.confirm,
            Operation::Compensation | Operation::Cancel => &self.back,
        }
    }
}

/// Draws how an operation is treated that must succeed in the end.
fn draw_last(dice: &mut Dice, limits: Limits) -> Manner {
    let mut manner = Manner::plain(dice);
    match dice.count(0..100) {
        0..76 => {}
        76..80 => manner.refuses = Refuses::UpTo(dice.count(1..4)),
        80..84 => manner.errors_after = dice.count(1..3),
        84..90 => be_slow(dice, &mut manner, limits),
        90..94 => manner.ongoing = dice.count(1..4),
        94..98 => manner.errors_before = dice.count(1..5),
        _ => manner.refuses = Refuses::From(1),
    }
    manner
}

/// The first attempt is still at work when its caller gives up; the next one is refused; the first takes effect.
fn refuse_after_unknown(dice: &mut Dice, behaviour: &mut Behaviour, limits: Limits) {
    behaviour.first.slow_count = 1;
    behaviour.first.slow_ms = limits.request_timeout_ms + dice.span(1_500..6_000);
    behaviour.first.refuses = Refuses::From(2);
}

fn be_slow(dice: &mut Dice, manner: &mut Manner, limits: Limits) {
    manner.slow_count = dice.count(1..3);
    manner.slow_ms = if limits.request_timeout_ms > limits.lease_ms {
        dice.span(limits.lease_ms..limits.request_timeout_ms)
    } else {
        dice.span(300..limits.request_timeout_ms + 800)
    };
}

fn be_ongoing(dice: &mut Dice, manner: &mut Manner, limits: Limits) {
    let for_ever = limits.has_deadline && dice.hits(300);
    manner.ongoing = if for_ever { u32::MAX } else { dice.count(1..5) };
}

/// Works, answers in time with an error, and never says what it did.
fn be_forgetful(manner: &mut Manner, limits: Limits) {
    manner.errors_after = if limits.has_deadline { u32::MAX } else { 4 };
}

fn dead(dice: &mut Dice, limits: Limits) -> Outages {
    let from = limits.begins_ms.saturating_sub(dice.span(0..500));
    let to = from + dice.pick(&[1_000, 5_000, 20_000, limits.faults_ms]);
    Outages(vec![(from, to.min(limits.faults_ms))])
}

fn flapping(dice: &mut Dice, limits: Limits) -> Outages {
    let period_ms = dice.span(300..3_000);
    let windows = (0..12).map(|turn| {
        let from = limits.begins_ms + 2 * turn * period_ms;
        (from, (from + period_ms).min(limits.faults_ms))
    });
    Outages(windows.filter(|(from, to)| from < to).collect())
}
