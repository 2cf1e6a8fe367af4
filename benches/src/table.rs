//! Writes a report for people, as a table of Markdown: it can be pasted into a page as it is.

use crate::report::{Figure, Report, Row};
use crate::throughput::Coordinator;

const HEAD: &str = "\
| connections | coordinator | transactions/s | × null | CPU µs | × null | p50 ms | p99 ms | appends | batches | commands | store CPU µs |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Writes both tables.
pub(crate) fn table(report: &Report) -> String {
    let mut text = HEAD.to_owned();
    text.extend(report.rows.iter().map(row));
    if !report.figures.is_empty() {
        text.push_str("\n| figure | value | unit | aim |\n|---|---|---|---|\n");
        text.extend(report.figures.iter().map(figure));
    }
    text
}

fn row(row: &Row) -> String {
    let cells = [
        row.connections.to_string(),
        name(row.coordinator).to_owned(),
        short(row.rate),
        format!("{:.2}", row.rate_ratio),
        short(row.cpu_us),
        format!("{:.2}", row.cpu_ratio),
        short(row.p50_us / 1e3),
        short(row.p99_us / 1e3),
        short(row.appends),
        short(row.batches),
        short(row.commands),
        short(row.store_cpu_us),
    ];
    format!("| {} |\n", cells.join(" | "))
}

fn figure(figure: &Figure) -> String {
    let Figure {
        name, value, unit, ..
    } = figure;
    let aim = figure.aim.unwrap_or("");
    format!("| {name} | {} | {unit} | {aim} |\n", short(*value))
}

fn name(coordinator: Coordinator) -> &'static str {
    match coordinator {
        Coordinator::Null => "null",
        Coordinator::AtOnce => "server, answers when accepted",
        Coordinator::AtTheEnd => "server, answers when ended",
    }
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

    #[test]
    fn a_value_has_as_many_digits_as_it_is_worth() {
        let written = [15_712.4, 512.6, 48.25, 2.0].map(short);
        assert_eq!(written, ["15712", "513", "48.2", "2.00"]);
    }

    #[test]
    fn a_figure_without_an_aim_has_an_empty_cell() {
        let with = Figure::new("memory", 12.0, "MiB").aim("under 20 MB");
        assert_eq!(figure(&with), "| memory | 12.0 | MiB | under 20 MB |\n");
        let without = Figure::new("memory", 12.0, "MiB");
        assert_eq!(figure(&without), "| memory | 12.0 | MiB |  |\n");
    }
}
