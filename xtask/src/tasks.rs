//! The commands.

use anyhow::{Result, bail};

use crate::run::{cargo, cargo_with, exists, root, step};
use crate::{deny, edges, proto, tidy};

/// Adapters with a conformance test.
const STORES: [&str; 2] = ["mem", "fjall"];

/// Fast checks that write nothing.
pub(crate) fn check() -> Result<()> {
    checks()?;
    step("quick tests", || {
        cargo([
            "test",
            "--locked",
            "--workspace",
            "--lib",
            "--exclude",
            "seata-tests",
            "--exclude",
            "seata-sim",
        ])
    })
}

fn checks() -> Result<()> {
    step("tidiness", tidy::check)?;
    step("crate edges", edges::check)?;
    step("generated code is current", || proto::check(&root()))?;
    step("formatting", || cargo(["fmt", "--all", "--check"]))?;
    step("lints", || {
        cargo([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    })?;
    step("licences, sources and duplicates", deny::check)?;
    step("documentation", || {
        let deny_warnings = [("RUSTDOCFLAGS", "-D warnings".to_owned())];
        cargo_with(
            ["doc", "--locked", "--workspace", "--no-deps", "--quiet"],
            &deny_warnings,
        )
    })
}

/// Writes what can be written by a machine.
pub(crate) fn fix() -> Result<()> {
    step("generated code", || proto::write(&root()))?;
    step("lints", || {
        cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--fix",
            "--allow-dirty",
            "--allow-staged",
        ])
    })?;
    step("formatting", || cargo(["fmt", "--all"]))
}

/// Everything, in the order of what fails fastest.
pub(crate) fn test() -> Result<()> {
    checks()?;
    step("unit and integration tests", || {
        run_tests(
            &[
                "--workspace",
                "--exclude",
                "seata-tests",
                "--exclude",
                "seata-sim",
            ],
            &[],
        )
    })?;
    step("documentation examples", || {
        cargo([
            "test",
            "--locked",
            "--workspace",
            "--doc",
            "--exclude",
            "seata-tests",
            "--exclude",
            "seata-sim",
        ])
    })?;
    // By itself, because it compiles planted bugs in, which no other crate may see.
    step("simulation", || {
        run_tests(&["-p", "seata-sim", "--cargo-profile", "sim"], &[])
    })?;
    step("the server", || {
        cargo([
            "build",
            "--locked",
            "--profile",
            "sim",
            "-p",
            "seata-server",
        ])
    })?;
    step("end to end", || {
        run_tests(
            &["-p", "seata-tests"],
            &[("SEATA_SERVER_BIN", server("sim"))],
        )
    })?;
    println!("\nall steps passed");
    Ok(())
}

fn server(profile: &str) -> String {
    let target =
        std::env::var("CARGO_TARGET_DIR").map_or_else(|_| root().join("target"), Into::into);
    target
        .join(profile)
        .join("seata-server")
        .display()
        .to_string()
}

/// Runs tests with cargo-nextest where it is installed, else with cargo's own runner.
fn run_tests(selection: &[&str], environment: &[(&str, String)]) -> Result<()> {
    if exists("cargo", "nextest --version") {
        let arguments = ["nextest", "run", "--locked", "--no-fail-fast"]
            .iter()
            .chain(selection)
            .copied();
        return cargo_with(arguments, environment);
    }
    let selection: Vec<&str> = selection
        .iter()
        .map(|argument| {
            if *argument == "--cargo-profile" {
                "--profile"
            } else {
                argument
            }
        })
        .collect();
    cargo_with(
        ["test", "--locked", "--no-fail-fast", "--tests"]
            .into_iter()
            .chain(selection),
        environment,
    )
}

pub(crate) fn conformance(arguments: &[String]) -> Result<()> {
    let stores: Vec<&str> = match arguments {
        [] => STORES.to_vec(),
        [flag, store] if flag == "--store" && STORES.contains(&store.as_str()) => {
            vec![store.as_str()]
        }
        _ => bail!(
            "usage: cargo xtask conformance [--store {}]",
            STORES.join("|")
        ),
    };
    for store in stores {
        let package = format!("seata-store-{store}");
        step(&format!("conformance of {store}"), || {
            cargo(["test", "--locked", "-p", &package, "--test", "conformance"])
        })?;
    }
    Ok(())
}

pub(crate) fn proto(arguments: &[String]) -> Result<()> {
    if arguments.iter().any(|argument| argument == "--check") {
        proto::check(&root())
    } else {
        proto::write(&root())
    }
}

pub(crate) fn sim(arguments: &[String]) -> Result<()> {
    let fixed = [
        "run",
        "--locked",
        "--quiet",
        "--profile",
        "sim",
        "-p",
        "seata-sim",
        "--bin",
        "seata-sim",
        "--",
    ];
    cargo(
        fixed
            .into_iter()
            .map(str::to_owned)
            .chain(arguments.iter().cloned()),
    )
}

pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    step("the server", || {
        cargo(["build", "--locked", "--release", "-p", "seata-server"])
    })?;
    let fixed = [
        "run",
        "--locked",
        "--quiet",
        "--release",
        "-p",
        "seata-bench",
        "--",
    ];
    let all = fixed
        .into_iter()
        .map(str::to_owned)
        .chain(arguments.iter().cloned());
    cargo_with(all, &[("SEATA_SERVER_BIN", server("release"))])
}
