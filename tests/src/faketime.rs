//! Wall clocks that are wrong, by libfaketime (Debian's package `faketime`).

use seata_test_servers::{FAKETIME_PACKAGE, faketime_library};

use crate::server::Setup;
use crate::shared::skipped;

/// Sets the wall clock of a server apart from the machine's by so many seconds. None: this machine can't, and this was
/// printed.
///
/// # Panics
/// It can't under `CI=true`.
#[must_use]
pub fn clock_apart(setup: Setup, seconds: i32) -> Option<Setup> {
    let Some(library) = faketime_library() else {
        skipped(&format!(
            "clocks that are apart: install the package {FAKETIME_PACKAGE}"
        ));
        return None;
    };
    let setup = setup
        .with("LD_PRELOAD", library.display())
        .with("FAKETIME", format!("{seconds:+}s"))
        // Only the wall clock: what counts spans stays as it is.
        .with("FAKETIME_DONT_FAKE_MONOTONIC", 1)
        .with("DONT_FAKE_MONOTONIC", 1);
    Some(setup)
}
