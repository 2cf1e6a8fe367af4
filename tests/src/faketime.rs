//! Wall clocks that are wrong, by libfaketime (Debian's package `faketime`).

use std::path::Path;

use crate::server::Setup;
use crate::shared::skipped;

const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// Sets the wall clock of a server apart from the machine's by so many seconds. None: this machine can't, and this was
/// printed.
///
/// # Panics
/// It can't under `CI=true`.
#[must_use]
pub fn clock_apart(setup: Setup, seconds: i32) -> Option<Setup> {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        skipped("clocks that are apart: apt-get install faketime");
        return None;
    };
    let setup = setup
        .with("LD_PRELOAD", library)
        .with("FAKETIME", format!("{seconds:+}s"))
        // Only the wall clock: what counts spans stays as it is.
        .with("FAKETIME_DONT_FAKE_MONOTONIC", 1)
        .with("DONT_FAKE_MONOTONIC", 1);
    Some(setup)
}
