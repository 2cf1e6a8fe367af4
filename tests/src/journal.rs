//! The embedded store's journal as bytes, for tests that damage it.

use std::fs;
use std::path::{Path, PathBuf};

/// Answers the newest journal below a data folder.
///
/// # Panics
/// There is none.
#[must_use]
pub fn newest(data: &Path) -> PathBuf {
    let mut journals = Vec::new();
    find(data, &mut journals);
    let number = |path: &PathBuf| -> Option<u64> { path.file_stem()?.to_str()?.parse().ok() };
    journals.into_iter().max_by_key(number).unwrap()
}

fn find(folder: &Path, journals: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, journals);
        } else if path.extension().is_some_and(|extension| extension == "jnl") {
            journals.push(path);
        }
    }
}

/// Answers where the data ends and the zeros of a file that is allocated ahead begin.
#[must_use]
pub fn end(bytes: &[u8]) -> usize {
    let zeros = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    bytes.len() - zeros
}
