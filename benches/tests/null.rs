//! A short bench of the null coordinator alone: all its processes start, agree on what was called, and end.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seata-bench"))
        .args(arguments)
        .env_remove("SEATA_SERVER_BIN")
        .env_remove("SEATA_BENCH_DTMRS")
        .output()
        .unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn the_null_coordinator_is_measured_without_a_server() {
    let folder = TempDir::with_prefix("seata-bench-test-").unwrap();
    let output = bench(&[
        "--null-only",
        "--case=base,tcc,grpc,refusals",
        "--connections=4",
        "--rounds=2",
        "--seconds=0.5",
        "--out",
        folder.path().to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{output:?}");
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        table
            .lines()
            .filter(|line| line.contains("| null |"))
            .count(),
        4
    );
    let report = read(&folder.path().join("bench-embedded.json"));
    assert_eq!(report["runs"].as_array().unwrap().len(), 8);
    for row in report["rows"].as_array().unwrap() {
        assert!(row["rate"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["rate_ratio"], 1.0);
        assert_eq!(row["appends"], 0.0);
    }
}

#[test]
fn without_a_server_to_measure_it_says_how_to_name_one() {
    let output = bench(&["--quick"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--server"), "{said}");
}

#[test]
fn a_peer_that_is_not_there_is_asked_for_before_anything_is_measured() {
    let output = bench(&["--server=/nowhere", "--peer=dtmrs"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("--dtmrs"), "{said}");
}
