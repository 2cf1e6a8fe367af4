//! Writes reports for people, as tables of Markdown: they can be pasted into a page as they are.

use crate::aims;
use crate::coordinator::Coordinator;
use crate::report::{Aim, Figure, Report, Row};

const HEAD: &str = "\
| store | case | coordinator | transactions/s | × null | CPU µs | × null | p50 ms | p99 ms | store CPU µs | RSS MiB | appends | batches | flushes | commands |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Writes all tables.
pub(crate) fn table(reports: &[Report]) -> String {
    let mut text = String::new();
    if reports.iter().any(|report| !report.rows.is_empty()) {
        text.push_str(HEAD);
    }
    for (report, at) in reports.iter().zip(0..) {
        // The null coordinator knows no store: once is enough.
        let shown = |row: &&Row| at == 0 || row.coordinator != Coordinator::Null;
        let rows = report.rows.iter().filter(shown);
        text.extend(rows.map(|row| line(report.store.name(), row)));
    }
    let aims = aims::figures(reports);
    let aims = aims.iter().map(|aim| figure("", aim));
    let alone = reports.iter().flat_map(|report| {
        let store = format!("{}, ", report.store.name());
        let figures = report.figures.iter();
        figures.map(move |alone| figure(&store, alone))
    });
    let figures: Vec<String> = aims.chain(alone).collect();
    if !figures.is_empty() {
        text.push_str("\n| figure | value | unit | aim | met |\n|---|---|---|---|---|\n");
        text.extend(figures);
    }
    text
}

fn line(store: &str, row: &Row) -> String {
    let lost = match row.lost {
        0 => String::new(),
        lost => format!(", {lost} lost"),
    };
    let cells = [
        store.to_owned(),
        row.case.clone(),
        format!("{}{lost}", row.coordinator.name()),
        short(row.rate),
        format!("{:.2}", row.rate_ratio),
        short(row.cpu_us),
        format!("{:.2}", row.cpu_ratio),
        short(row.p50_us / 1e3),
        short(row.p99_us / 1e3),
        short(row.store_cpu_us),
        short(row.resident_mib),
        short(row.appends),
        short(row.batches),
        short(row.flushes),
        short(row.commands),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn figure(of: &str, figure: &Figure) -> String {
    let Figure {
        name, value, unit, ..
    } = figure;
    let aim = match figure.aim {
        Some(Aim::AtMost(limit)) => format!("≤ {}", short(limit)),
        Some(Aim::AtLeast(limit)) => format!("≥ {}", short(limit)),
        None => String::new(),
    };
    let met = match figure.is_met() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    format!(
        "| {of}{name} | {} | {unit} | {aim} | {met} |\n",
        short(*value)
    )
}

/// Writes three digits or all before the point.
fn short(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backing::Store;
    use crate::report::tests::{report, run};

    #[test]
    fn a_value_has_as_many_digits_as_it_is_worth() {
        let written = [15_712.4, 512.6, 48.25, 2.0].map(short);
        assert_eq!(written, ["15712", "513", "48.2", "2.00"]);
    }

    #[test]
    fn a_figure_says_whether_its_aim_is_met() {
        let met = Figure::new("memory", 12.0, "MB").aim(Aim::AtMost(15.0));
        assert_eq!(figure("", &met), "| memory | 12.0 | MB | ≤ 15.0 | yes |\n");
        let missed = Figure::new("rate", 9.0, "").aim(Aim::AtLeast(10.0));
        assert_eq!(figure("", &missed), "| rate | 9.00 |  | ≥ 10.0 | no |\n");
        let without = Figure::new("memory", 12.0, "MiB");
        assert_eq!(
            figure("sled, ", &without),
            "| sled, memory | 12.0 | MiB |  |  |\n"
        );
    }

    #[test]
    fn stores_share_one_table_and_the_null_coordinator_stands_there_once() {
        let runs = vec![
            run("base", Coordinator::Null, (100.0, 50.0)),
            run("base", Coordinator::Server, (50.0, 100.0)),
        ];
        let report = |store| report(store, &["base"], runs.clone());
        let text = table(&[report(Store::Sled), report(Store::Redis)]);
        let lines = |part: &str| text.lines().filter(|line| line.contains(part)).count();
        assert_eq!((lines("| null |"), lines("| Seata Server |")), (1, 2));
        assert_eq!(lines("| store |"), 1);
    }

    #[test]
    fn what_a_peer_lost_is_told() {
        let mut runs = vec![run("base", Coordinator::Dtmrs, (10.0, 800.0))];
        runs[0].lost = 3;
        let text = table(&[report(Store::Redis, &["base"], runs)]);
        assert!(text.contains("| dtmrs, 3 lost |"), "{text}");
    }
}
