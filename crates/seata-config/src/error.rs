//! What is wrong with a configuration, in words that say where it stands and what to change.

use std::io;
use std::path::PathBuf;

/// Why a configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there and can't be read, or is named and isn't there.
    #[error("reading {path}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The file isn't one level of keys, each with one value.
    #[error("reading {path}: {why}", path = .path.display())]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no such key.
    #[error("{place}: {why}")]
    Unknown {
        /// Where it stands.
        place: String,
        /// What was probably meant.
        why: String,
    },
    /// A variable is no text.
    #[error("{0} is not UTF-8")]
    NotText(String),
    /// A value that isn't allowed.
    #[error("{place} is {shown}: it must be {said}")]
    NotAllowed {
        /// Where it stands.
        place: String,
        /// The value, without its secrets.
        shown: String,
        /// What is allowed.
        said: String,
    },
    /// Values that are allowed, but not together.
    #[error("{0}")]
    Contradiction(String),
}
