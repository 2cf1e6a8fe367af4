//! Folders for what is written while it is measured. A bench that is killed leaves its own: the next one takes them away.

use std::fs::{read_dir, remove_dir_all};
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

const PREFIX: &str = "seata-bench-";

/// Makes an empty folder, which goes when it is dropped.
///
/// # Errors
/// It can't be made.
pub(crate) fn folder(within: &Path) -> Result<TempDir> {
    let owner = std::process::id();
    TempDir::with_prefix_in(format!("{PREFIX}{owner}-"), within).context("making a folder for data")
}

/// Takes away folders whose bench runs no more.
///
/// # Errors
/// The folder that holds them can't be read.
pub(crate) fn sweep(within: &Path) -> Result<()> {
    let entries = read_dir(within).with_context(|| format!("reading {}", within.display()))?;
    for entry in entries.flatten() {
        let owner = owner(&entry.file_name().to_string_lossy());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            // Another bench may be doing the same.
            let _gone = remove_dir_all(entry.path());
        }
    }
    Ok(())
}

fn owner(name: &str) -> Option<u32> {
    let (owner, _) = name.strip_prefix(PREFIX)?.split_once('-')?;
    owner.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_killed_bench_left_is_taken_away_and_nothing_else() {
        let place = TempDir::with_prefix("seata-scratch-test-").unwrap();
        let mine = folder(place.path()).unwrap();
        let kept = ["seata-bench-mine", "bench-redis.json", "release"];
        // Beyond the numbers that processes have.
        let left = place.path().join("seata-bench-4294967295-x");
        for folder in kept
            .iter()
            .map(|name| place.path().join(name))
            .chain([left.clone()])
        {
            std::fs::create_dir(folder).unwrap();
        }
        sweep(place.path()).unwrap();
        assert!(mine.path().exists() && !left.exists());
        assert!(kept.iter().all(|name| place.path().join(name).exists()));
    }
}
