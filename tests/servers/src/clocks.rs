//! Finds the library that lends a program another wall clock: Debian's package `faketime`.

use std::fs;
use std::path::PathBuf;

/// The one for programs of several threads.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// Where libraries lie. Debian and its kin add a folder for each architecture.
const ROOTS: [&str; 3] = ["/usr/lib", "/usr/lib64", "/usr/local/lib"];

/// Names the Debian package that brings the library.
pub const FAKETIME_PACKAGE: &str = "faketime";

/// Answers where the library is that is preloaded to lend a program another wall clock.
#[must_use]
pub fn faketime_library() -> Option<PathBuf> {
    let roots = ROOTS.into_iter().map(PathBuf::from);
    let of_architectures = roots.clone().flat_map(|root| {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    });
    roots
        .chain(of_architectures)
        .map(|folder| folder.join(LIBRARY))
        .find(|path| path.is_file())
}
