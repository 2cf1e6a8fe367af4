//! Finds the programs of databases, also where Debian hides them, and lets them run as somebody who may run them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Answers where a program is: in the path, among the system's programs, or in the newest PostgreSQL.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .chain(postgres_folders())
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

/// Answers the first that can't be found.
#[must_use]
pub fn first_missing(names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|name| find(name).is_none())
}

/// Answers the path of a program as an argument, or its bare name, with which starting it says what is wrong.
#[must_use]
pub fn path(name: &str) -> OsString {
    find(name).map_or_else(|| name.into(), PathBuf::into_os_string)
}

/// Debian keeps each version in a folder of its own, outside of the path. The newest comes first.
fn postgres_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// Answers whether this process may do everything.
#[must_use]
pub fn is_root() -> bool {
    // The folder of this very process belongs to whoever runs it.
    fs::metadata(Path::new("/proc/self")).is_ok_and(|found| found.uid() == 0)
}

/// Runs a program to its end and answers what it printed.
///
/// # Errors
/// It can't be started, or fails; the text has its last words.
pub(crate) fn output(words: &[OsString]) -> Result<Vec<u8>> {
    let (program, arguments) = words.split_first().context("no command")?;
    let shown = program.to_string_lossy();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting `{shown}`"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {}: {words}", output.status);
    }
    Ok(output.stdout)
}

/// Answers words that are parted by single spaces.
pub(crate) fn words(text: &str) -> Vec<OsString> {
    text.split(' ').map(OsString::from).collect()
}
