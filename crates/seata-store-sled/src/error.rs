//! Why the store can't be opened or read.

use std::io;
use std::path::PathBuf;

use seata_store::{StoreError, StoreErrorKind};

/// Why a folder can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store in this one, has it open.
    #[error(
        "the data folder {0} is in use by another process: stop it, or choose another folder (SEATA_DATA_DIR)"
    )]
    InUse(PathBuf),
    /// Something else has the folder's name.
    #[error("the data folder {0} is not a folder: choose another one (SEATA_DATA_DIR)")]
    NotAFolder(PathBuf),
    /// The folder can't be used.
    #[error(
        "the data folder {folder} can't be used: {why}; mend that, or choose another folder (SEATA_DATA_DIR)"
    )]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A file is missing or is not what was written: acknowledged transactions could be missing.
    #[error("the store's file {file} is {what}: restore the data folder from a backup")]
    Broken {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The engine below can't open its files.
    #[error("the store in {folder} can't be opened: {why}")]
    Engine {
        /// Where.
        folder: PathBuf,
        /// What it says.
        why: String,
    },
}

pub(crate) fn corrupt(why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, "reading the embedded store", why)
}

pub(crate) fn invalid(why: impl ToString) -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, "appending", why)
}

/// Why a batch was not written. It is fatal: what is on disk is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("{0}")]
    Engine(#[from] sled::Error),
    #[error("{0}")]
    Sync(#[from] io::Error),
}
