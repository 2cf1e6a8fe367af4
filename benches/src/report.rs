//! What a bench came to: the medians, the ratios, and the runs that they were made of.

use serde::Serialize;

use crate::backing::Store;
use crate::figures::{count, median};
use crate::throughput::{Coordinator, Plan, Run};

/// All of it, as it is written in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) cores: usize,
    pub(crate) store: Store,
    pub(crate) plan: Plan,
    pub(crate) rows: Vec<Row>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) runs: Vec<Run>,
}

/// The medians of one coordinator at one number of connections.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) coordinator: Coordinator,
    pub(crate) connections: usize,
    pub(crate) rate: f64,
    /// Over the null coordinator's in the same round.
    pub(crate) rate_ratio: f64,
    pub(crate) cpu_us: f64,
    /// Over the null coordinator's in the same round.
    pub(crate) cpu_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) appends: f64,
    pub(crate) batches: f64,
    pub(crate) commands: f64,
    pub(crate) store_cpu_us: f64,
    pub(crate) refused: f64,
}

/// A figure that stands alone.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) aim: Option<&'static str>,
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

    /// Says what is aimed at. Nothing fails when it is missed.
    pub(crate) fn aim(self, aim: &'static str) -> Self {
        Self {
            aim: Some(aim),
            ..self
        }
    }
}

/// Makes bytes a figure.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    count(bytes) / f64::from(1 << 20)
}

/// Makes the medians of runs that lie in rounds, each of which holds the same runs in the same order.
pub(crate) fn rows(plan: &Plan, runs: &[Run]) -> Vec<Row> {
    let coordinators = [
        Coordinator::Null,
        Coordinator::AtOnce,
        Coordinator::AtTheEnd,
    ];
    let mut rows = Vec::new();
    for connections in &plan.connections {
        let of = |who| -> Vec<&Run> {
            let is_of = |run: &&Run| run.coordinator == who && run.connections == *connections;
            runs.iter().filter(is_of).collect()
        };
        let null = of(Coordinator::Null);
        let measured = coordinators
            .into_iter()
            .filter_map(|who| row(&of(who), &null));
        rows.extend(measured);
    }
    rows
}

fn row(runs: &[&Run], null: &[&Run]) -> Option<Row> {
    let first = runs.first()?;
    let middle = |of: fn(&Run) -> f64| median(runs.iter().map(|run| of(run)));
    let ratio = |of: fn(&Run) -> f64| {
        let pairs = runs.iter().zip(null);
        median(pairs.map(|(run, null)| of(run) / of(null)))
    };
    Some(Row {
        coordinator: first.coordinator,
        connections: first.connections,
        rate: middle(|run| run.rate),
        rate_ratio: ratio(|run| run.rate),
        cpu_us: middle(|run| run.cpu_us),
        cpu_ratio: ratio(|run| run.cpu_us),
        p50_us: middle(|run| run.p50_us),
        p99_us: middle(|run| run.p99_us),
        appends: middle(|run| run.appends),
        batches: middle(|run| run.batches),
        commands: middle(|run| run.commands),
        store_cpu_us: middle(|run| run.store_cpu_us),
        refused: middle(|run| count(run.refused)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the values are exact")]
    use super::*;

    fn run(coordinator: Coordinator, rate: f64, cpu_us: f64) -> Run {
        Run {
            coordinator,
            connections: 8,
            transactions: 1,
            refused: 0,
            rate,
            cpu_us,
            p50_us: 1.0,
            p99_us: 2.0,
            appends: 2.0,
            batches: 1.0,
            commands: 0.0,
            store_cpu_us: 0.0,
        }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_and_its_median_over_them() {
        let plan = Plan {
            connections: vec![8, 9],
            rounds: 3,
            seconds: 1.0,
        };
        let runs = [
            run(Coordinator::Null, 100.0, 50.0),
            run(Coordinator::AtOnce, 50.0, 100.0),
            run(Coordinator::Null, 10.0, 80.0),
            run(Coordinator::AtOnce, 5.0, 160.0),
            run(Coordinator::Null, 100.0, 50.0),
            run(Coordinator::AtOnce, 90.0, 450.0),
        ];
        let rows = rows(&plan, &runs);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].rate_ratio, rows[0].cpu_ratio), (1.0, 1.0));
        assert_eq!((rows[1].rate_ratio, rows[1].cpu_ratio), (0.5, 2.0));
        assert_eq!((rows[1].rate, rows[1].cpu_us), (50.0, 160.0));
    }
}
