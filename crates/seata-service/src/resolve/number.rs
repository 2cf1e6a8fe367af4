//! Numbers within ranges. A range is said in the error, so that nobody has to look it up.

use std::time::Duration;

use crate::path::Path;
use crate::problem::Problem;

/// From the least to the most number of seconds, both allowed.
#[derive(Clone, Copy)]
pub(super) struct SecsRange {
    min: f64,
    max: f64,
}

impl SecsRange {
    pub(super) const fn new(min: f64, max: f64) -> Self {
        Self { min, max }
    }
}

/// Reads a span, to the millisecond.
pub(super) fn span(path: Path<'_>, given: f64, range: SecsRange) -> Result<Duration, Problem> {
    let SecsRange { min, max } = range;
    if !(min..=max).contains(&given) {
        let why = format_args!("{} is out of range: give {min} to {max} seconds", given);
        return Err(Problem::field(path, why));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the range"
    )]
    let ms = (given * 1000.0).round() as u64;
    Ok(Duration::from_millis(ms))
}

/// Reads a count.
pub(super) fn count(path: Path<'_>, given: u64, min: u32, max: u32) -> Result<u32, Problem> {
    u32::try_from(given)
        .ok()
        .filter(|count| (min..=max).contains(count))
        .ok_or_else(|| {
            let why = format_args!("{} is out of range: give {min} to {max}", given);
            Problem::field(path, why)
        })
}
