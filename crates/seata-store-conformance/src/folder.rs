//! What stores that live in one folder have to stand beside the suite: other processes, and files that are copied while
//! they are open. Their test files name themselves as [`InFolder`]; [`Folder`] is their fixture, and
//! [`folder_suite!`](crate::folder_suite) makes the tests.

mod killed;
mod records;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use seata_store::TxnStore;
use tempfile::{TempDir, tempdir};

pub use killed::*;
pub use records::*;

use crate::fixture::{Fixture, Leases};
use crate::size::records;

/// A store that lives in a folder, as the adapter's test file names it.
pub trait InFolder: Send + Sync + 'static {
    /// The store. Clones are one store.
    type Store: TxnStore + Clone;

    /// Opens a folder, or makes it, without a reserve of free space. `on_fatal` is told of a write that failed.
    ///
    /// # Errors
    /// It is refused.
    fn open(folder: &Path, on_fatal: fn(&str)) -> Result<Self::Store, Refused>;
}

/// Why a folder is refused, with the text that an operator reads.
#[derive(Debug)]
pub enum Refused {
    /// Somebody has it open.
    InUse(String),
    /// Something else has its name.
    NotAFolder(String),
    /// Anything else.
    Otherwise(String),
}

impl Refused {
    fn text(&self) -> &str {
        match self {
            Self::InUse(text) | Self::NotAFolder(text) | Self::Otherwise(text) => text,
        }
    }
}

/// Opens a folder; a write that fails ends the test.
pub(crate) fn open<F: InFolder>(folder: &Path) -> Result<F::Store, Refused> {
    F::open(folder, |why| panic!("{why}"))
}

/// A fixture of its own folder.
pub struct Folder<F: InFolder> {
    folder: TempDir,
    store: Option<F::Store>,
}

impl<F: InFolder> Folder<F> {
    /// Opens a new one.
    ///
    /// # Panics
    /// It can't be opened.
    #[must_use]
    pub fn new() -> Self {
        Self::opened(tempdir().unwrap())
    }

    fn opened(folder: TempDir) -> Self {
        Self {
            store: Some(open::<F>(folder.path()).unwrap()),
            folder,
        }
    }
}

impl<F: InFolder> Default for Folder<F> {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl<F: InFolder> Fixture for Folder<F> {
    fn store(&self) -> Arc<dyn TxnStore> {
        Arc::new(self.store.clone().unwrap())
    }
    async fn reopen(&mut self) {
        self.store = None;
        self.store = Some(open::<F>(self.folder.path()).unwrap());
    }
    /// A copy of the files while the store has them open is what kill -9 leaves.
    async fn crash(&mut self) {
        let left = tempdir().unwrap();
        copy(self.folder.path(), left.path());
        self.store = None;
        *self = Self::opened(left);
    }
    fn leases(&self) -> Leases {
        Leases::Void
    }
    async fn pass(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
    /// It is not optimised here, and each batch is synced.
    fn records_max(&self) -> usize {
        records(20_000)
    }
}

/// Copies all files of a folder.
///
/// # Panics
/// A file can't be read or written.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
