//! Runs commands in the root of the workspace, each under a heading that says what it is and how long it took.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Answers the root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Says what is being done, does it, and says how long it took.
pub(crate) fn step(what: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("\n== {what}");
    let begun = Instant::now();
    work().with_context(|| what.to_owned())?;
    println!("== {what}: done in {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Runs cargo in the root.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<()> {
    command(cargo_path(), arguments, &[])
}

/// Runs cargo in the root with some of the environment set.
pub(crate) fn cargo_with<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, String)],
) -> Result<()> {
    command(cargo_path(), arguments, environment)
}

fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Runs a program in the root.
pub(crate) fn command<S: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, String)],
) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .envs(environment.iter().map(|(key, value)| (key, value)));
    let status = command
        .status()
        .with_context(|| format!("starting {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}; run it alone to see more");
    }
    Ok(())
}

/// Answers whether a program can be started.
pub(crate) fn exists(program: &str, probe: &str) -> bool {
    let mut command = Command::new(program);
    let quiet = command
        .args(probe.split(' '))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Answers whether this is CI, where what can't be checked is a failure.
pub(crate) fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
