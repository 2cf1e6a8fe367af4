//! What somebody meets who tries the server for the first time.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use seata_tests::{Setup, scene};
use serde_json::{Value, json};

#[test]
fn the_demo_runs_and_prints_both_timelines() {
    let output = Setup::new().argument("demo").run();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{complaints}");
    let (committed, aborted) = (printed.find("COMMITTED"), printed.find("ABORTED"));
    assert!(committed.is_some() && aborted.is_some(), "{printed}");
    assert!(printed.contains("compensat"), "{printed}");
}

#[test]
fn the_configuration_is_printed_with_where_each_value_comes_from() {
    let output = Setup::new()
        .with("SEATA_LEASE_SECS", 7)
        .argument("config")
        .run();
    let printed = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(output.status.success(), "{printed}");
    let line = |key: &str| {
        let found = printed.lines().find(|line| line.contains(key));
        found.unwrap_or_else(|| panic!("{key} is missing: {printed}"))
    };
    assert!(line("lease_secs").contains('7'));
    assert!(line("lease_secs").contains("env"));
    assert!(line("grace_secs").contains("10"));
    assert!(line("grace_secs").contains("default"));
    for key in ["http_port", "data_dir", "active_max", "retention_secs"] {
        line(key);
    }
}

/// The endpoints that the page makes up are replaced by participants; the rest runs as it stands.
#[tokio::test]
async fn the_sagas_of_the_readme_run_as_they_stand() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let Ok(readme) = std::fs::read_to_string(path) else {
        return;
    };
    let (_server, client, participants) = scene().await;
    let mut ran = 0;
    for body in bodies(&readme) {
        let mut whole: Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let Some(branches) = whole["branches"].as_array_mut() else {
            continue;
        };
        for branch in branches {
            for endpoint in ["action", "compensation"] {
                if branch[endpoint].is_string() {
                    branch[endpoint] = json!(participants.url("ok"));
                }
            }
        }
        assert_eq!(client.run(whole).await["status"], "COMMITTED", "{body}");
        ran += 1;
    }
    assert!(ran > 0, "the README shows no saga with curl");
}

/// Answers what stands in single quotes behind `-d` or `--data…` of the page's commands.
fn bodies(readme: &str) -> impl Iterator<Item = &str> {
    readme
        .split("```")
        .skip(1)
        .step_by(2)
        .filter(|block| block.contains("curl "))
        .flat_map(|block| block.split('\'').skip(1).step_by(2))
        .filter(|quoted| quoted.trim_start().starts_with('{'))
}
