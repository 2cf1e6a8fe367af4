//! What a bench came to: the medians, the ratios, and the runs that they were made of.

use serde::Serialize;

use crate::backing::Store;
use crate::coordinator::Coordinator;
use crate::figures::{count, median};
use crate::rounds::Plan;
use crate::run::Run;

/// All of one store, as it is written in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) cores: usize,
    pub(crate) store: Store,
    pub(crate) plan: Plan,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) runs: Vec<Run>,
}

impl Report {
    /// Answers the row of a coordinator in a case.
    pub(crate) fn row(&self, case: &str, who: Coordinator) -> Option<&Row> {
        let mut rows = self.rows.iter();
        rows.find(|row| row.case == case && row.coordinator == who)
    }
}

/// The medians of one coordinator in one case.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) coordinator: Coordinator,
    pub(crate) rate: f64,
    /// Over the null coordinator's in the same round.
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_us: f64,
    /// Over the null coordinator's in the same round.
    pub(crate) cpu_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) resident_mib: f64,
    pub(crate) appends: f64,
    pub(crate) batches: f64,
    pub(crate) flushes: f64,
    pub(crate) commands: f64,
    pub(crate) store_cpu_us: f64,
    pub(crate) refused: f64,
    /// The sum of all runs.
    pub(crate) lost: u64,
}

/// A figure that stands alone.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) aim: Option<Aim>,
}

/// What is aimed at. Nothing fails when it is missed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            aim: None,
        }
    }

    /// Says what is aimed at.
    pub(crate) fn aim(self, aim: Aim) -> Self {
        Self {
            aim: Some(aim),
            ..self
        }
    }

    /// Says whether the aim is met; nothing without one.
    pub(crate) fn is_met(&self) -> Option<bool> {
        self.aim.map(|aim| match aim {
            Aim::AtMost(limit) => self.value <= limit,
            Aim::AtLeast(limit) => self.value >= limit,
        })
    }
}

/// Makes bytes a figure.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 20)
}

/// Makes the medians of runs, a row for each coordinator in each case.
pub(crate) fn rows(plan: &Plan, runs: &[Run]) -> Vec<Row> {
    let of = |case: &str, who| -> Vec<&Run> {
        let is_of = |run: &&Run| run.case == case && run.coordinator == who;
        runs.iter().filter(is_of).collect()
    };
    let mut rows = Vec::new();
    for case in &plan.cases {
        let null = of(&case.name, Coordinator::Null);
        let measured = plan.coordinators.iter();
        rows.extend(measured.filter_map(|who| row(&of(&case.name, *who), &null)));
    }
    rows
}

fn row(runs: &[&Run], null: &[&Run]) -> Option<Row> {
    let first = runs.first()?;
    let middle = |of: fn(&Run) -> f64| median(runs.iter().map(|run| of(run)));
    let ratio = |of: fn(&Run) -> f64| {
        let twin = |run: &Run| null.iter().find(|null| null.round == run.round);
        median(runs.iter().filter_map(|run| Some(of(run) / of(twin(run)?))))
    };
    Some(Row {
        case: first.case.clone(),
        coordinator: first.coordinator,
        rate: middle(|run| run.rate),
        rate_ratio: ratio(|run| run.rate),
        cpu_us: middle(|run| run.cpu_us),
        cpu_ratio: ratio(|run| run.cpu_us),
        p50_us: middle(|run| run.p50_us),
        p99_us: middle(|run| run.p99_us),
        resident_mib: middle(|run| run.resident_mib),
        appends: middle(|run| run.appends),
        batches: middle(|run| run.batches),
        flushes: middle(|run| run.flushes),
        commands: middle(|run| run.commands),
        store_cpu_us: middle(|run| run.store_cpu_us),
        refused: middle(|run| count(run.refused)),
        lost: runs.iter().map(|run| run.lost).sum(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::float_cmp, reason = "the values are exact")]
    use super::*;
    use crate::case::{BASE, Case};
    use crate::rounds::PeersIn;

    pub(crate) fn run(case: &str, coordinator: Coordinator, (rate, cpu_us): (f64, f64)) -> Run {
        Run {
            case: case.to_owned(),
            coordinator,
            round: 0,
            connections: 8,
            transactions: 1,
            refused: 0,
            lost: 0,
            complaint: None,
            rate,
            cpu_us,
            p50_us: 1.0,
            p99_us: 2.0,
            resident_mib: 1.0,
            appends: 2.0,
            batches: 1.0,
            flushes: 0.0,
            commands: 0.0,
            store_cpu_us: 0.0,
        }
    }

    /// Makes a report of one store, without figures.
    pub(crate) fn report(store: Store, cases: &[&str], runs: Vec<Run>) -> Report {
        let case = |name: &&str| Case {
            name: (*name).to_owned(),
            connections: 8,
            shape: BASE,
        };
        let plan = Plan {
            cases: cases.iter().map(case).collect(),
            coordinators: vec![Coordinator::Null, Coordinator::Server, Coordinator::Dtmrs],
            peers_in: PeersIn::Base,
            rounds: 1,
            seconds: 1.0,
        };
        Report {
            cores: 2,
            store,
            rows: rows(&plan, &runs),
            plan,
            figures: Vec::new(),
            runs,
        }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_and_its_median_over_them() {
        use Coordinator::{Null, Server};
        let rounds = [
            [(Null, (100.0, 50.0)), (Server, (50.0, 100.0))],
            [(Null, (10.0, 80.0)), (Server, (5.0, 160.0))],
            [(Null, (100.0, 50.0)), (Server, (90.0, 450.0))],
        ];
        let runs = rounds.into_iter().zip(0..).flat_map(|(runs, round)| {
            runs.map(|(who, figures)| Run {
                round,
                ..run("base", who, figures)
            })
        });
        let report = report(Store::Embedded, &["base", "tcc"], runs.collect());
        assert_eq!(report.rows.len(), 2);
        let null = report
            .row("base", Null)
            .map(|row| (row.rate_ratio, row.cpu_ratio));
        assert_eq!(null, Some((1.0, 1.0)));
        let server = report.row("base", Server);
        let ratios = server.map(|row| (row.rate_ratio, row.cpu_ratio));
        assert_eq!(ratios, Some((0.5, 2.0)));
        assert_eq!(
            server.map(|row| (row.rate, row.cpu_us)),
            Some((50.0, 160.0))
        );
    }

    #[test]
    fn an_aim_is_met_up_to_its_limit() {
        let figure = |value| Figure::new("memory", value, "MB");
        assert_eq!(figure(15.0).aim(Aim::AtMost(15.0)).is_met(), Some(true));
        assert_eq!(figure(15.1).aim(Aim::AtMost(15.0)).is_met(), Some(false));
        assert_eq!(figure(9.9).aim(Aim::AtLeast(10.0)).is_met(), Some(false));
        assert_eq!(figure(9.9).is_met(), None);
    }
}
