//! What the tests of files and processes share.
#![allow(
    dead_code,
    unused_imports,
    clippy::unwrap_used,
    reason = "each test file uses a part of it, and fails by panicking"
)]

use std::path::Path;

use seata_store::Gid;
use seata_store_conformance::folder::{InFolder, Refused};
pub(crate) use seata_store_conformance::folder::{applied, copy, creation, following, record};
use seata_store_sled::{OpenError, SledOptions, SledStore};

/// This store, as the shared tests open it.
pub(crate) struct InSled;

impl InFolder for InSled {
    type Store = SledStore;

    fn open(folder: &Path, on_fatal: fn(&str)) -> Result<SledStore, Refused> {
        open_telling(folder, on_fatal).map_err(|error| {
            let text = error.to_string();
            match error {
                OpenError::InUse(_) => Refused::InUse(text),
                OpenError::NotAFolder(_) => Refused::NotAFolder(text),
                OpenError::Folder { .. } | OpenError::Broken { .. } | OpenError::Engine { .. } => {
                    Refused::Otherwise(text)
                }
            }
        })
    }
}

/// Opens a folder; a write that fails ends the test.
pub(crate) fn open(folder: &Path) -> Result<SledStore, OpenError> {
    open_telling(folder, |why| panic!("{why}"))
}

fn open_telling(folder: &Path, on_fatal: fn(&str)) -> Result<SledStore, OpenError> {
    let options = SledOptions {
        disk_free_min_bytes: 0,
        on_fatal: Box::new(on_fatal),
    };
    SledStore::open(folder, options)
}

pub(crate) fn gid(text: &str) -> Gid {
    Gid::parse(text).unwrap()
}
