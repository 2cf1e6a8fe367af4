//! What is aimed at in the cases, and how near the runs came.

use crate::backing::Store;
use crate::case::{BASE, Mode, Shape};
use crate::coordinator::Coordinator;
use crate::report::{Aim, Figure, Report, Row};
use crate::script::requests;
use crate::syncs::PROBE;

/// A ratio of the server's row in the base case.
#[derive(Debug, Clone, Copy)]
enum Of {
    RateOver(Coordinator),
    CpuOver(Coordinator),
}

use Coordinator::{Dtmrs, Null};

#[rustfmt::skip]
const RATIOS: [(Store, &str, Of, Aim); 7] = [
    (Store::Embedded,      "transactions/s over the null coordinator's",  Of::RateOver(Null),  Aim::AtLeast(0.65)),
    (Store::Embedded,      "processor time over the null coordinator's",  Of::CpuOver(Null),   Aim::AtMost(1.8)),
    (Store::Embedded,      "transactions/s over those of dtmrs on sqlite", Of::RateOver(Dtmrs), Aim::AtLeast(10.0)),
    (Store::RedisEverysec, "transactions/s over those of dtmrs",          Of::RateOver(Dtmrs), Aim::AtLeast(1.8)),
    (Store::RedisEverysec, "processor time over that of dtmrs",           Of::CpuOver(Dtmrs),  Aim::AtMost(0.45)),
    (Store::Postgres,      "transactions/s over those of dtmrs",          Of::RateOver(Dtmrs), Aim::AtLeast(8.0)),
    (Store::Mysql,         "transactions/s over those of dtmrs",          Of::RateOver(Dtmrs), Aim::AtLeast(8.0)),
];

/// Beside two durable waits.
const ONE_CONNECTION_MS: f64 = 0.3;

const TCC: Shape = Shape {
    mode: Mode::Tcc,
    ..BASE
};

/// Answers the figures that have an aim, as far as they were measured.
pub(crate) fn figures(reports: &[Report]) -> Vec<Figure> {
    let of_store = |store| reports.iter().find(|report| report.store == store);
    let ratios = RATIOS.iter().filter_map(|(store, name, of, aim)| {
        let value = ratio(of_store(*store)?, *of)?;
        let name = format!("{}, base case: {name}", store.name());
        Some(Figure::new(name, value, "").aim(*aim))
    });
    let embedded = of_store(Store::Embedded);
    ratios
        .chain(embedded.and_then(tcc))
        .chain(embedded.into_iter().flat_map(one_connection))
        .collect()
}

fn ratio(report: &Report, of: Of) -> Option<f64> {
    let row = report.row("base", Coordinator::Server)?;
    match of {
        Of::RateOver(Null) => Some(row.rate_ratio),
        Of::CpuOver(Null) => Some(row.cpu_ratio),
        Of::RateOver(who) => Some(row.rate / report.row("base", who)?.rate),
        Of::CpuOver(who) => Some(row.cpu_us / report.row("base", who)?.cpu_us),
    }
}

/// Processor time for each request in or out, over that of the saga.
fn tcc(report: &Report) -> Option<Figure> {
    let each = |row: &Row, shape: &Shape| row.cpu_us / f64::from(requests(shape));
    let tcc = each(report.row("tcc", Coordinator::Server)?, &TCC);
    let saga = each(report.row("base", Coordinator::Server)?, &BASE);
    let name = "embedded, tcc: processor time for a request in or out over the saga's";
    Some(Figure::new(name, tcc / saga, "").aim(Aim::AtMost(1.5)))
}

fn one_connection(report: &Report) -> Vec<Figure> {
    let probe = report.figures.iter().find(|figure| figure.name == PROBE);
    let aim = probe.map(|probe| Aim::AtMost(2.0 * probe.value / 1e3 + ONE_CONNECTION_MS));
    let figure = |case: &str| {
        let row = report.row(case, Coordinator::Server)?;
        let name = format!("embedded, {case}: submit p50");
        Some(Figure::new(name, row.p50_us / 1e3, "ms").aim(aim?))
    };
    ["1-conn", "1-conn-ended"]
        .into_iter()
        .filter_map(figure)
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the values are exact")]
    use super::*;
    use crate::report::tests::{report, run};

    #[test]
    fn aims_are_compared_with_what_was_measured_and_with_nothing_else() {
        let runs = vec![
            run("base", Coordinator::Null, (100.0, 50.0)),
            run("base", Coordinator::Server, (60.0, 80.0)),
            run("base", Coordinator::Dtmrs, (10.0, 800.0)),
        ];
        let found = figures(&[report(Store::Embedded, &["base"], runs.clone())]);
        let values: Vec<_> = found
            .iter()
            .map(|figure| (figure.value, figure.is_met()))
            .collect();
        assert_eq!(
            values,
            [(0.6, Some(false)), (1.6, Some(true)), (6.0, Some(false))]
        );
        let found = figures(&[report(Store::RedisEverysec, &["base"], runs)]);
        let values: Vec<_> = found
            .iter()
            .map(|figure| (figure.value, figure.is_met()))
            .collect();
        assert_eq!(values, [(6.0, Some(true)), (0.1, Some(true))]);
        assert!(figures(&[report(Store::Sled, &[], Vec::new())]).is_empty());
    }

    #[test]
    fn a_request_of_a_tcc_is_compared_with_one_of_a_saga() {
        let runs = vec![
            run("base", Coordinator::Server, (1.0, 90.0)),
            run("tcc", Coordinator::Server, (1.0, 320.0)),
        ];
        let found = tcc(&report(Store::Embedded, &["base", "tcc"], runs));
        // Eight requests of 40 µs, and three of 30 µs.
        assert_eq!(found.map(|figure| figure.value), Some(40.0 / 30.0));
    }

    #[test]
    fn one_connection_may_wait_twice_for_the_disk() {
        let runs = vec![run("1-conn", Coordinator::Server, (1.0, 1.0))];
        let mut report = report(Store::Embedded, &["1-conn"], runs);
        assert!(one_connection(&report).is_empty());
        report.figures.push(Figure::new(PROBE, 100.0, "µs"));
        let found = one_connection(&report);
        // 1 µs.
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].value, 0.001);
        assert!(matches!(found[0].aim, Some(Aim::AtMost(limit)) if (limit - 0.5).abs() < 1e-9));
    }
}
