//! A folder of a server's own, below the system's folder for temporary files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder that nobody else uses. It goes when it is dropped, unless a guard has taken it over.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a new one for this server.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let parent = std::env::temp_dir();
        let free = (0..1000).find_map(|number| {
            let path = parent.join(format!("seata-{name}-{}-{number}", std::process::id()));
            fs::create_dir(&path).ok().map(|()| Self { path })
        });
        free.with_context(|| format!("no folder can be made in {}", parent.display()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Hands the folder over to a guard.
    pub(crate) fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            // A folder that stays is untidy, and no reason to fail.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
