//! Which crate may use which. A new edge is an architectural change: it is argued for, then listed here.
//!
//! It reads manifests only: what a crate does with another is not judged.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::cargo;

/// Edges that a build may follow.
const ALLOWED: &[(&str, &[&str])] = &[
    ("seata-core", &[]),
    ("seata-store", &["seata-core"]),
    ("seata-store-mem", &["seata-core", "seata-store"]),
    ("seata-store-fjall", &["seata-core", "seata-store"]),
    ("seata-store-sled", &["seata-store"]),
    ("seata-store-redis", &["seata-store"]),
    ("seata-store-mysql", &["seata-store"]),
    ("seata-store-postgres", &["seata-store"]),
    ("seata-store-sharded", &["seata-store"]),
    ("seata-store-conformance", &["seata-core", "seata-store"]),
    // Ids and operations alone: a participant holds nothing of the coordinator.
    ("seata-barrier", &["seata-core"]),
    ("seata-engine", &["seata-core", "seata-store"]),
    ("seata-executor", &["seata-core", "seata-engine"]),
    (
        "seata-service",
        &["seata-core", "seata-store", "seata-engine"],
    ),
    (
        "seata-http",
        &[
            "seata-core",
            "seata-store",
            "seata-engine",
            "seata-service",
            "seata-serving",
        ],
    ),
    // What transports share of their connections, and nothing of what goes over them.
    ("seata-serving", &[]),
    // Values of its own: who uses one makes what it needs of it.
    ("seata-config", &[]),
    ("seata-proto", &[]),
    (
        "seata-grpc",
        &[
            "seata-core",
            "seata-store",
            "seata-engine",
            "seata-service",
            "seata-serving",
            "seata-proto",
        ],
    ),
    (
        "seata-sim",
        &[
            "seata-core",
            "seata-store",
            "seata-store-mem",
            "seata-engine",
        ],
    ),
    (
        "seata-server",
        &[
            "seata-core",
            "seata-store",
            "seata-store-fjall",
            "seata-store-sled",
            "seata-store-redis",
            "seata-store-mysql",
            "seata-store-postgres",
            "seata-store-sharded",
            "seata-config",
            "seata-engine",
            "seata-executor",
            "seata-service",
            "seata-http",
            "seata-grpc",
        ],
    ),
    // It speaks to a coordinator over its wires alone.
    ("seata-client", &["seata-proto"]),
    (
        "seata-examples",
        &[
            "seata-core",
            "seata-store",
            "seata-store-fjall",
            "seata-engine",
            "seata-executor",
            "seata-service",
            "seata-grpc",
            "seata-http",
            "seata-barrier",
            "seata-client",
        ],
    ),
    // A store as anybody writes one: on the contract alone.
    ("seata-example-store", &["seata-store"]),
    // Real servers and their faults, for tests of what is above and below.
    ("seata-test-servers", &[]),
    ("seata-tests", &["seata-test-servers"]),
    // The messages of the wire, and nothing of the server behind them.
    ("seata-bench", &["seata-test-servers", "seata-proto"]),
    ("xtask", &["seata-test-servers"]),
];

/// Edges that only tests may follow.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[
    ("seata-store-mem", &["seata-store-conformance"]),
    ("seata-store-fjall", &["seata-store-conformance"]),
    ("seata-store-sled", &["seata-store-conformance"]),
    (
        "seata-store-redis",
        &["seata-store-conformance", "seata-test-servers"],
    ),
    (
        "seata-store-mysql",
        &["seata-store-conformance", "seata-test-servers"],
    ),
    (
        "seata-store-postgres",
        &["seata-store-conformance", "seata-test-servers"],
    ),
    (
        "seata-store-sharded",
        &["seata-store-conformance", "seata-store-mem"],
    ),
    // With all of its features.
    ("seata-barrier", &["seata-barrier"]),
    ("seata-engine", &["seata-store-mem"]),
    ("seata-service", &["seata-store-mem"]),
    ("seata-http", &["seata-store-mem"]),
    ("seata-grpc", &["seata-store-mem", "seata-http"]),
    ("seata-server", &["seata-proto"]),
    (
        "seata-example-store",
        &[
            "seata-core",
            "seata-engine",
            "seata-executor",
            "seata-store-conformance",
        ],
    ),
    // The messages of the wire, and nothing of the server behind them.
    ("seata-tests", &["seata-proto"]),
];

pub(crate) fn check() -> Result<()> {
    let printed = cargo("metadata --locked --no-deps --format-version 1").output()?;
    let metadata: Value = serde_json::from_slice(&printed).context("reading cargo metadata")?;
    let complaints = complaints(&metadata);
    if complaints.is_empty() {
        Ok(())
    } else {
        bail!("{}", complaints.join("\n"))
    }
}

/// Answers each edge that is not allowed, and each crate that the list doesn't know or that is gone.
fn complaints(metadata: &Value) -> Vec<String> {
    let crates = entries(&metadata["packages"]);
    let names: BTreeSet<&str> = crates.iter().map(name).collect();
    let mut complaints = stale(&names);
    for package in crates {
        let from = name(package);
        for dependency in entries(&package["dependencies"]) {
            let to = name(dependency);
            if names.contains(to) && !is_allowed(from, to, Kind::of(dependency)) {
                complaints.push(format!(
                    "{from} must not depend on {to}: argue for the edge, then list it"
                ));
            }
        }
    }
    complaints
}

fn entries(list: &Value) -> &[Value] {
    list.as_array().map_or([].as_slice(), Vec::as_slice)
}

fn name(entry: &Value) -> &str {
    entry["name"].as_str().unwrap_or_default()
}

/// Answers crates that only the workspace knows, and names that only the list knows.
fn stale(names: &BTreeSet<&str>) -> Vec<String> {
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(from, _)| *from).collect();
    let mentioned: BTreeSet<&str> = ALLOWED
        .iter()
        .chain(ALLOWED_IN_TESTS)
        .flat_map(|(from, to)| to.iter().chain([from]))
        .copied()
        .collect();
    let unknown = names
        .difference(&listed)
        .map(|name| format!("crate {name} is not in the list of crate edges"));
    let gone = mentioned
        .difference(names)
        .map(|name| format!("the list of crate edges names {name}, which is gone"));
    unknown.chain(gone).collect()
}

#[derive(Clone, Copy)]
enum Kind {
    /// Normal and build dependencies: what a build follows.
    Built,
    TestsOnly,
}

impl Kind {
    fn of(dependency: &Value) -> Self {
        if dependency["kind"].as_str() == Some("dev") {
            Self::TestsOnly
        } else {
            Self::Built
        }
    }
}

fn is_allowed(from: &str, to: &str, kind: Kind) -> bool {
    let has = |list: &[(&str, &[&str])]| {
        list.iter()
            .any(|(name, allowed)| *name == from && allowed.contains(&to))
    };
    match kind {
        Kind::Built => has(ALLOWED),
        Kind::TestsOnly => has(ALLOWED) || has(ALLOWED_IN_TESTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let packages: Vec<Value> = ALLOWED
            .iter()
            .map(|(name, _)| {
                let dependencies = if *name == from {
                    serde_json::json!([{ "name": to, "kind": kind }])
                } else {
                    serde_json::json!([])
                };
                serde_json::json!({ "name": name, "dependencies": dependencies })
            })
            .collect();
        complaints(&serde_json::json!({ "packages": packages }))
    }

    #[test]
    fn an_edge_that_is_not_listed_is_refused() {
        assert_eq!(tree("seata-engine", "seata-http", None).len(), 1);
        assert_eq!(tree("seata-core", "seata-store", None).len(), 1);
        assert_eq!(
            tree("seata-store-fjall", "seata-store-mem", Some("dev")).len(),
            1
        );
        assert!(tree("seata-engine", "seata-store", None).is_empty());
        assert!(tree("seata-engine", "seata-store-mem", Some("dev")).is_empty());
        assert_eq!(tree("seata-engine", "seata-store-mem", None).len(), 1);
    }

    #[test]
    fn a_build_script_may_not_use_what_only_tests_may() {
        assert_eq!(
            tree("seata-engine", "seata-store-mem", Some("build")).len(),
            1
        );
    }

    #[test]
    fn a_crate_that_nobody_listed_and_one_that_is_gone_are_refused() {
        let metadata =
            serde_json::json!({ "packages": [{ "name": "seata-new", "dependencies": [] }] });
        let complaints = complaints(&metadata);
        let has = |text: &str| complaints.iter().any(|complaint| complaint.contains(text));
        assert!(has("crate seata-new is not in the list"), "{complaints:?}");
        assert!(has("names seata-core, which is gone"), "{complaints:?}");
    }

    #[test]
    fn the_crates_of_this_workspace_follow_the_list() {
        assert_eq!(check().map_err(|error| error.to_string()), Ok(()));
    }
}
