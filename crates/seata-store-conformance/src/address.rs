//! Where the server is on which an adapter is tested.

/// Answers what this variable of the environment says. Without it the tests of that store are skipped, and say so.
///
/// # Panics
/// Under `CI=true` nothing may be skipped.
#[must_use]
pub fn address(variable: &str) -> Option<String> {
    let given = std::env::var(variable)
        .ok()
        .filter(|given| !given.is_empty());
    if given.is_none() {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!ci, "{variable} is not set: this store could not be tested");
        eprintln!("SKIPPED: {variable} is not set; `cargo xtask conformance` starts a server");
    }
    given
}
