//! Compares `docs/api.md` with the code: routes, fields, defaults and statuses are the same sets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use seata_core::Status;
use seata_service::Defaults;

use crate::meters::{Route, Verb};
use crate::parse::bodies::{BranchBody, BranchOptionsBody, OptionsBody, TransactionBody};

const API: &str = include_str!("../../../docs/api.md");

type Words = BTreeSet<String>;

fn words(words: &[&str]) -> Words {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Answers what stands between two texts.
fn section(from: &str, to: &str) -> &'static str {
    let (_, rest) = API.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

/// Answers what a text quotes as code.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Answers the rows of the tables in a section whose first cell quotes something, as cells.
fn rows(section: &str) -> impl Iterator<Item = Vec<&str>> {
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').skip(1).map(str::trim).collect())
}

fn first_cells(section: &str) -> Words {
    rows(section)
        .flat_map(|cells| quoted(cells[0]).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Post => "POST",
        Verb::Any => "any",
    }
}

/// Reads the table of routes. A later path of a row leaves out what it shares with the first.
fn documented_routes() -> Words {
    let table = section("| method and path |", "## ");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ["));
    let routes = rows.flat_map(|row| {
        let (verb, cell) = row.split_once(' ').unwrap();
        let paths: Vec<_> = quoted(cell.split(" | ").next().unwrap()).collect();
        let parent = paths[0].rsplit_once('/').unwrap().0;
        let (first, others) = paths.split_first().unwrap();
        let others = others
            .iter()
            .map(move |path| format!("{verb} {parent}{path}"));
        std::iter::once(format!("{verb} {first}"))
            .chain(others)
            .collect::<Vec<_>>()
    });
    routes.collect()
}

#[test]
fn the_routes_are_those_of_the_document() {
    let routes = Route::ALL
        .into_iter()
        .filter(|route| *route != Route::Other);
    let ours: Words = routes
        .map(|route| format!("{} {}", verb(route.verb()), route.path()))
        .collect();
    assert_eq!(ours, documented_routes());
}

#[test]
fn the_fields_are_those_of_the_document() {
    let transaction = first_cells(section("## POST /api/submit", "By gid, "));
    assert_eq!(words(TransactionBody::FIELDS), transaction);
    let mut branch = first_cells(section("### A branch", "### Options"));
    branch.insert("gid".to_owned());
    branch.remove("options.headers");
    assert_eq!(words(BranchBody::FIELDS), branch);
    let on_both = first_cells(section("### Options", "On the transaction only:"));
    assert_eq!(words(BranchOptionsBody::FIELDS), on_both);
    let all = first_cells(section("### Options", "### Payloads"));
    assert_eq!(words(OptionsBody::FIELDS), all);
}

#[test]
fn the_defaults_are_those_of_the_document() {
    let documented: BTreeMap<_, _> = rows(section("### Options", "### Payloads"))
        .map(|cells| (cells[0].trim_matches('`'), cells[1].to_owned()))
        .collect();
    let Defaults {
        request_timeout,
        retry_interval,
        retry_interval_max,
        max_attempts,
        timeout_to_fail,
        prepared_timeout,
        branch_parallelism,
        attention_attempts: _,
    } = Defaults::default();
    let or_none = timeout_to_fail.map_or("none".to_owned(), |span| span.as_secs().to_string());
    let ours = BTreeMap::from([
        (
            "request_timeout_secs",
            request_timeout.as_secs().to_string(),
        ),
        ("retry_interval_secs", retry_interval.as_secs().to_string()),
        (
            "retry_interval_max_secs",
            retry_interval_max.as_secs().to_string(),
        ),
        ("max_attempts", max_attempts.to_string()),
        ("headers", "none".to_owned()),
        ("timeout_to_fail_secs", or_none),
        (
            "prepared_timeout_secs",
            prepared_timeout.as_secs().to_string(),
        ),
        ("branch_parallelism", branch_parallelism.to_string()),
        ("order", "`\"concurrent\"`".to_owned()),
    ]);
    assert_eq!(ours, documented);
}

#[test]
fn the_statuses_are_those_of_the_document() {
    let row = API
        .lines()
        .find(|line| line.starts_with("| a transaction |"))
        .unwrap();
    let documented: Words = quoted(row).map(str::to_owned).collect();
    assert_eq!(words(&Status::ALL.map(Status::as_str)), documented);
}
