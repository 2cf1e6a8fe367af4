//! What one seed does, drawn before it begins: the servers' knobs, the rates of faults, the incidents, the work.
//!
//! Each seed has its own mix ("swarm testing", Groce et al. 2012): a fault that is absent lets others go deeper.

pub(crate) mod act;
pub(crate) mod behaviour;
mod saga;
mod scripts;
mod tcc;
pub(crate) mod work;

use std::sync::Arc;
use std::time::Duration;

use crate::dice::Dice;
use crate::outage::OutageKind;
use work::TxPlan;

/// The longest that a request or an append lies in the network before it arrives, in ms.
pub(crate) const LATE_MAX_MS: u64 = 20_000;

/// The longest that a process stands still, in ms.
pub(crate) const FREEZE_MAX_MS: u64 = 12_000;

/// The shortest retention, in ms: no append and no request comes so late, and no process stands still for so long.
const RETENTION_MIN_MS: u64 = LATE_MAX_MS + FREEZE_MAX_MS + 2_000;

/// How the servers of this seed are configured.
#[derive(Debug, Clone)]
pub(crate) struct Knobs {
    pub(crate) lease_ms: u64,
    pub(crate) claim_interval_ms: u64,
    pub(crate) store_timeout_ms: u64,
    pub(crate) linger_ms: u64,
    pub(crate) active_max: usize,
    pub(crate) claim_count_max: usize,
    pub(crate) ended_kept_max: usize,
    pub(crate) retention_ms: u64,
    pub(crate) purge_interval_ms: u64,
    pub(crate) waiters_max: usize,
    /// Calls in flight per destination; none: unbounded.
    pub(crate) slots: Option<usize>,
}

/// How often things go wrong, in a thousand.
#[derive(Debug, Clone)]
pub(crate) struct Rates {
    pub(crate) request_lost: u32,
    pub(crate) reply_lost: u32,
    pub(crate) duplicate: u32,
    pub(crate) late: u32,
    pub(crate) crash_before_append: u32,
    pub(crate) crash_after_append: u32,
    /// Of claims that bring something.
    pub(crate) crash_after_claim: u32,
    pub(crate) append_reply_lost: u32,
    pub(crate) append_late: u32,
    pub(crate) append_hang: u32,
    pub(crate) append_unavailable: u32,
    pub(crate) store_unavailable: u32,
    pub(crate) store_hang: u32,
    pub(crate) client_request_lost: u32,
    pub(crate) client_reply_lost: u32,
    /// How many of a server's requests break off when their client gives up.
    pub(crate) breaks_off: u32,
}

/// Something that happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Incident {
    Crash {
        down_ms: u64,
    },
    Stop {
        grace_ms: u64,
        down_ms: u64,
    },
    Freeze {
        for_ms: u64,
    },
    Jump {
        by_ms: u64,
    },
    CutOff {
        for_ms: u64,
    },
    /// To the store itself.
    Outage {
        kind: OutageKind,
        for_ms: u64,
    },
    /// Of the store's clock.
    StoreJump {
        by_ms: u64,
    },
}

/// An incident with its time and place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduled {
    pub(crate) at_ms: u64,
    pub(crate) process: usize,
    pub(crate) incident: Incident,
}

/// One seed's run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) processes: usize,
    pub(crate) knobs: Knobs,
    pub(crate) rates: Rates,
    /// How long things go wrong.
    pub(crate) faults_ms: u64,
    pub(crate) incidents: Vec<Scheduled>,
    pub(crate) transactions: Vec<Arc<TxPlan>>,
}

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let processes = dice.pick(&[1, 2, 2, 2, 3, 3]);
        let knobs = Knobs::draw(&mut dice);
        let rates = Rates::draw(&mut dice);
        let faults_ms = dice.span(50_000..80_000);
        let incidents = draw_incidents(&mut dice, processes, faults_ms, &knobs);
        let count = dice.span(110..150);
        let transactions = (0..count)
            .map(|at| Arc::new(TxPlan::draw(seed, at, faults_ms, &knobs)))
            .collect();
        Self {
            seed,
            processes,
            knobs,
            rates,
            faults_ms,
            incidents,
            transactions,
        }
    }

    /// Answers how far the clocks of servers jump in all.
    pub(crate) fn jumps_ms(&self) -> u64 {
        self.incidents
            .iter()
            .map(|scheduled| match scheduled.incident {
                Incident::Jump { by_ms } => by_ms,
                Incident::Crash { .. }
                | Incident::Stop { .. }
                | Incident::Freeze { .. }
                | Incident::CutOff { .. }
                | Incident::Outage { .. }
                | Incident::StoreJump { .. } => 0,
            })
            .sum()
    }
}

impl Knobs {
    fn draw(dice: &mut Dice) -> Self {
        Self {
            lease_ms: dice.pick(&[2_000, 3_000, 5_000]),
            claim_interval_ms: dice.pick(&[200, 200, 1_000, 3_000]),
            store_timeout_ms: dice.pick(&[500, 1_000, 2_000]),
            linger_ms: dice.pick(&[100, 500, 2_000]),
            active_max: dice.pick(&[10_000, 10_000, 10_000, 10_000, 10]),
            claim_count_max: dice.pick(&[256, 256, 3]),
            ended_kept_max: dice.pick(&[1_024, 4, 0]),
            retention_ms: dice.pick(&[RETENTION_MIN_MS, RETENTION_MIN_MS, 60_000]),
            purge_interval_ms: dice.pick(&[300, 1_000, 3_000]),
            waiters_max: dice.pick(&[10_000, 10_000, 10_000, 3]),
            slots: dice.pick(&[None, None, None, Some(6)]),
        }
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

impl Rates {
    fn draw(dice: &mut Dice) -> Self {
        let mut rate = |usual: u32| usual * dice.pick(&[0, 1, 1, 3]);
        Self {
            request_lost: rate(15),
            reply_lost: rate(15),
            duplicate: rate(20),
            late: rate(15),
            crash_before_append: rate(2),
            crash_after_append: rate(2),
            crash_after_claim: rate(25),
            append_reply_lost: rate(6),
            append_late: rate(6),
            append_hang: rate(3),
            append_unavailable: rate(8),
            store_unavailable: rate(5),
            store_hang: rate(3),
            client_request_lost: rate(20),
            client_reply_lost: rate(20),
            breaks_off: rate(300),
        }
    }
}

fn draw_incidents(
    dice: &mut Dice,
    processes: usize,
    faults_ms: u64,
    knobs: &Knobs,
) -> Vec<Scheduled> {
    let mut incidents = Vec::new();
    for (kind, most) in [
        (0, 5),
        (1, 2),
        (2, 3),
        (3, 2),
        (4, 3),
        (5, 2),
        (6, 4),
        (7, 1),
    ] {
        let how_many = if dice.hits(300) {
            0
        } else {
            dice.count(0..most + 1)
        };
        for _ in 0..how_many {
            let incident = draw_incident(dice, kind, knobs);
            incidents.push(Scheduled {
                at_ms: dice.span(1_000..faults_ms),
                process: dice.below(processes),
                incident,
            });
        }
    }
    incidents.sort_by_key(|scheduled| scheduled.at_ms);
    incidents
}

fn draw_incident(dice: &mut Dice, kind: u32, knobs: &Knobs) -> Incident {
    match kind {
        0 => Incident::Crash {
            down_ms: dice.pick(&[50, 500, 3_000, 8_000]),
        },
        1 => Incident::Stop {
            grace_ms: dice.pick(&[0, 500, 3_000]),
            down_ms: dice.pick(&[50, 2_000]),
        },
        2 => Incident::Freeze {
            for_ms: dice.span(knobs.lease_ms + 200..FREEZE_MAX_MS),
        },
        3 => Incident::Freeze {
            for_ms: dice.span(50..knobs.lease_ms),
        },
        4 => Incident::CutOff {
            for_ms: dice.span(300..3 * knobs.lease_ms),
        },
        6 => Incident::Outage {
            kind: dice.pick(OutageKind::ALL),
            for_ms: dice.span(500..3 * knobs.lease_ms),
        },
        7 => Incident::StoreJump {
            by_ms: dice.pick(&[300, 1_500, 4_000]),
        },
        _ => Incident::Jump {
            by_ms: dice.pick(&[300, 2_000, 9_000]),
        },
    }
}
