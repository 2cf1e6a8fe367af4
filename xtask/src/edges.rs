//! Which crate may use which. A new edge is an architectural change: it is made here first, and argued for.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::root;

/// Edges that a build may follow.
const ALLOWED: &[(&str, &[&str])] = &[
    ("seata-core", &[]),
    ("seata-store", &["seata-core"]),
    ("seata-store-mem", &["seata-core", "seata-store"]),
    ("seata-store-fjall", &["seata-core", "seata-store"]),
    ("seata-store-conformance", &["seata-core", "seata-store"]),
    ("seata-engine", &["seata-core", "seata-store"]),
    ("seata-executor", &["seata-core", "seata-engine"]),
    ("seata-http", &["seata-core", "seata-store", "seata-engine"]),
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
            "seata-engine",
            "seata-executor",
            "seata-http",
        ],
    ),
    ("seata-tests", &[]),
    ("seata-bench", &[]),
    ("xtask", &[]),
];

/// Edges that only tests may follow.
const ALLOWED_IN_TESTS: &[(&str, &[&str])] = &[
    ("seata-store-mem", &["seata-store-conformance"]),
    ("seata-store-fjall", &["seata-store-conformance"]),
    ("seata-engine", &["seata-store-mem"]),
    ("seata-http", &["seata-store-mem"]),
];

type Edge = (String, String);

pub(crate) fn check() -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Value =
        serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let complaints = complaints(&metadata);
    if complaints.is_empty() {
        Ok(())
    } else {
        bail!("{}", complaints.join("\n"))
    }
}

/// Answers each edge that is not allowed, and each crate that this list doesn't know or that is gone.
fn complaints(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"]
        .as_array()
        .map_or([].as_slice(), Vec::as_slice);
    let names: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let listed: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let unknown = names
        .difference(&listed)
        .map(|name| format!("crate {name} is not in the list of crate edges"));
    let gone = listed
        .difference(&names)
        .map(|name| format!("the list of crate edges names {name}, which is gone"));
    let mut complaints: Vec<String> = unknown.chain(gone).collect();
    for package in packages {
        let from = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"]
            .as_array()
            .map_or([].as_slice(), Vec::as_slice)
        {
            let to = dependency["name"].as_str().unwrap_or_default();
            let in_tests = dependency["kind"].as_str() == Some("dev");
            if names.contains(to) && !is_allowed(&(from.to_owned(), to.to_owned()), in_tests) {
                complaints.push(format!(
                    "{from} must not depend on {to}{}",
                    if in_tests { ", even in tests" } else { "" }
                ));
            }
        }
    }
    complaints
}

fn is_allowed((from, to): &Edge, in_tests: bool) -> bool {
    let has = |list: &[(&str, &[&str])]| {
        list.iter()
            .any(|(name, allowed)| name == from && allowed.contains(&to.as_str()))
    };
    has(ALLOWED) || (in_tests && has(ALLOWED_IN_TESTS))
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
    fn a_crate_that_nobody_listed_is_refused() {
        let metadata =
            serde_json::json!({ "packages": [{ "name": "seata-new", "dependencies": [] }] });
        assert!(
            complaints(&metadata)
                .iter()
                .any(|complaint| complaint.contains("seata-new"))
        );
    }
}
