//! How much a large test makes, in one place.

/// Names the variable of the environment with the number of records. `cargo xtask conformance --large` sets it.
const RECORDS: &str = "SEATA_TEST_RECORDS";

/// Answers how many records a large test makes: what the environment says, else `unless_told`.
///
/// # Panics
/// `SEATA_TEST_RECORDS` is no number of at least 1,000.
#[must_use]
pub fn records(unless_told: usize) -> usize {
    let Some(told) = std::env::var_os(RECORDS) else {
        return unless_told;
    };
    let count = told.to_str().and_then(|told| told.parse().ok());
    count
        .filter(|count| *count >= 1_000)
        .unwrap_or_else(|| panic!("{RECORDS} must be a number of at least 1000, not {told:?}"))
}
