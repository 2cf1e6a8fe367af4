//! The suite of storage adapters, one row for each store: which package it is of, and which server it needs.
//!
//! `cargo xtask test` runs all rows among its other tests; `cargo xtask conformance` runs some of them alone.

use anyhow::{Result, bail};

use crate::run::{Run, cargo, step};
use crate::servers::{Kind, Servers};
use crate::tasks::PROFILE;

/// How many records a large run makes; the suite reads it.
const RECORDS: (&str, &str) = ("SEATA_TEST_RECORDS", "1000000");

/// A store under test.
#[derive(Debug)]
struct Row {
    store: &'static str,
    package: &'static str,
    /// The module of its tests, in a file that tests several stores.
    module: &'static str,
    server: Option<Kind>,
}

const ROWS: [Row; 9] = [
    embedded("mem", "seata-store-mem"),
    embedded("fjall", "seata-store-fjall"),
    embedded("sled", "seata-store-sled"),
    Row {
        module: "one_server::",
        ..shared("redis", "seata-store-redis", Kind::Redis)
    },
    Row {
        module: "cluster::",
        ..shared("redis-cluster", "seata-store-redis", Kind::RedisCluster)
    },
    shared("mysql", "seata-store-mysql", Kind::MariaDb),
    shared("postgres", "seata-store-postgres", Kind::Postgres),
    embedded("sharded", "seata-store-sharded"),
    embedded("custom", "seata-example-store"),
];

/// A store that needs no server.
const fn embedded(store: &'static str, package: &'static str) -> Row {
    Row {
        store,
        package,
        module: "",
        server: None,
    }
}

const fn shared(store: &'static str, package: &'static str, server: Kind) -> Row {
    Row {
        server: Some(server),
        ..embedded(store, package)
    }
}

/// How many records its largest test makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Usual,
    Large,
}

/// Runs the suite on one store, or on all: `[--store NAME] [--large]`.
pub(crate) fn conformance(arguments: &[String]) -> Result<()> {
    let (rows, size) = chosen(arguments)?;
    let kinds: Vec<Kind> = rows.iter().filter_map(|row| row.server).collect();
    // What can't be had was printed as skipped, or has failed under `CI=true`.
    let servers = Servers::start(&kinds)?;
    for row in rows {
        if row.server.is_some_and(|kind| servers.lack(kind)) {
            println!("SKIPPED conformance of {}", row.store);
            continue;
        }
        step(&format!("conformance of {}", row.store), || {
            row.run(size).envs(servers.variables()).run()
        })?;
    }
    Ok(())
}

impl Row {
    fn run(&self, size: Size) -> Run {
        let (package, module) = (self.package, self.module);
        let run = |profile| {
            cargo(&format!(
                "test --locked --profile {profile} -p {package} --test conformance -- {module}"
            ))
        };
        match size {
            Size::Usual => run("dev"),
            // Optimised, with assertions: a million records take their time.
            Size::Large => run(PROFILE).env(RECORDS.0, RECORDS.1),
        }
    }
}

fn chosen(arguments: &[String]) -> Result<(Vec<&'static Row>, Size)> {
    let (size, rest): (Vec<_>, Vec<_>) = arguments
        .iter()
        .map(String::as_str)
        .partition(|word| *word == "--large");
    let size = match size.as_slice() {
        [] => Size::Usual,
        [..] => Size::Large,
    };
    let rows = match rest.as_slice() {
        [] => ROWS.iter().collect(),
        ["--store", store] => ROWS.iter().filter(|row| row.store == *store).collect(),
        [..] => Vec::new(),
    };
    if rows.is_empty() {
        let stores = ROWS.map(|row| row.store).join("|");
        bail!("usage: cargo xtask conformance [--store {stores}] [--large]");
    }
    Ok((rows, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_by(text: &str) -> Option<(Vec<&'static str>, Size)> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let (rows, size) = chosen(&words).ok()?;
        Some((rows.iter().map(|row| row.store).collect(), size))
    }

    #[test]
    fn all_stores_are_tested_or_the_one_that_is_named() {
        let all = ROWS.map(|row| row.store).to_vec();
        assert_eq!(chosen_by(""), Some((all.clone(), Size::Usual)));
        assert_eq!(chosen_by("--large"), Some((all, Size::Large)));
        let redis = vec!["redis-cluster"];
        assert_eq!(
            chosen_by("--store redis-cluster --large"),
            Some((redis, Size::Large))
        );
    }

    #[test]
    fn a_store_without_a_suite_is_refused() {
        assert_eq!(chosen_by("--store tape"), None);
        assert_eq!(chosen_by("--store"), None);
        assert_eq!(chosen_by("fjall"), None);
    }
}
