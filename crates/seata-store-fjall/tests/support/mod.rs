//! What the tests of files and processes share.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use seata_store::Gid;
use seata_store_conformance::folder::{InFolder, Refused};
pub(crate) use seata_store_conformance::folder::{applied, copy, creation, following, record};
use seata_store_fjall::{FjallOptions, FjallStore, OpenError};

/// This store, as the shared tests open it.
pub(crate) struct InFjall;

impl InFolder for InFjall {
    type Store = FjallStore;

    fn open(folder: &Path, on_fatal: fn(&str)) -> Result<FjallStore, Refused> {
        open_telling(folder, on_fatal).map_err(|error| {
            let text = error.to_string();
            match error {
                OpenError::InUse(_) => Refused::InUse(text),
                OpenError::NotAFolder(_) => Refused::NotAFolder(text),
                OpenError::Folder { .. }
                | OpenError::Damaged { .. }
                | OpenError::Broken { .. }
                | OpenError::Earlier(_)
                | OpenError::Engine { .. }
                | OpenError::Record { .. } => Refused::Otherwise(text),
            }
        })
    }
}

/// Opens a folder; a write that fails ends the test.
pub(crate) fn open(folder: &Path) -> Result<FjallStore, OpenError> {
    open_telling(folder, |why| panic!("{why}"))
}

fn open_telling(folder: &Path, on_fatal: fn(&str)) -> Result<FjallStore, OpenError> {
    let options = FjallOptions {
        // So that a part of what a test wrote is in the log, and a part was moved.
        log_bytes: 8 << 10,
        ..FjallOptions::new(on_fatal)
    };
    FjallStore::open(folder, options)
}

pub(crate) fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}

/// Answers all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort_unstable();
    found
}

/// Answers the newest journal.
pub(crate) fn journal(folder: &Path) -> PathBuf {
    let number = |path: &PathBuf| -> u64 {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        stem.parse().unwrap()
    };
    let mut journals = files(&folder.join("fjall"));
    journals.retain(|path| path.extension().is_some_and(|extension| extension == "jnl"));
    journals.into_iter().max_by_key(number).unwrap()
}
