//! One time of several clocks.

use std::time::Duration;

use futures_util::future::join_all;
use seata_store::{StoreError, UnixMillis};
use tokio::time::Instant;

use crate::gate::Call;
use crate::member::{ANSWER_TIME_MAX, Member};

/// Beyond this the difference of two clocks is told.
pub(crate) const DIFFERENCE_MAX: Duration = Duration::from_secs(1);

/// What the clocks of all shards that answered say together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The latest of them, now.
    pub(crate) time: UnixMillis,
    /// By how much two of them differ at least, whatever the way took.
    pub(crate) difference: Duration,
}

/// A clock's answer, and how long it was under way.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: UnixMillis,
    took: Duration,
}

/// Asks all shards at once. Fails only if none answers.
pub(crate) async fn tell(members: &[Member]) -> Result<Told, StoreError> {
    let begun = Instant::now();
    let asked = members.iter().map(|member| async move {
        let until = begun + ANSWER_TIME_MAX;
        let time = member.ask(
            Call::Ping,
            "asking for the time",
            until,
            member.store.ping(),
        );
        time.await.map(|time| Reading {
            time,
            took: begun.elapsed(),
        })
    });
    let (mut readings, mut failure) = (Vec::new(), None);
    for answer in join_all(asked).await {
        match answer {
            Ok(reading) => readings.push(reading),
            Err(error) => failure = Some(error),
        }
    }
    match (together(&readings, begun.elapsed()), failure) {
        (Some(told), _) => Ok(told),
        (None, Some(error)) => Err(error),
        (None, None) => Err(crate::sharded::no_shards()),
    }
}

/// Each clock went on after it was read: at least for as long as its answer has waited for the others.
fn together(readings: &[Reading], elapsed: Duration) -> Option<Told> {
    let time = readings
        .iter()
        .map(|one| one.time.plus(elapsed.saturating_sub(one.took)))
        .max()?;
    // A clock was read at some instant between question and answer.
    let ahead = readings
        .iter()
        .map(|one| one.time.0 - millis(one.took))
        .max()?;
    let behind = readings.iter().map(|one| one.time.0).min()?;
    let difference = u64::try_from(ahead.saturating_sub(behind)).unwrap_or(0);
    Some(Told {
        time,
        difference: Duration::from_millis(difference),
    })
}

fn millis(span: Duration) -> i64 {
    // A part of a millisecond counts as a whole one: it must not look like a difference.
    i64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn reading(time_ms: i64, took_ms: u64) -> Reading {
        Reading {
            time: UnixMillis(time_ms),
            took: Duration::from_millis(took_ms),
        }
    }

    fn told(readings: &[Reading], elapsed_ms: u64) -> (i64, u128) {
        let told = together(readings, Duration::from_millis(elapsed_ms));
        told.map_or((0, 0), |told| (told.time.0, told.difference.as_millis()))
    }

    #[test]
    fn the_latest_counts_and_goes_on_while_others_are_awaited() {
        assert_eq!(
            told(&[reading(5_000, 10), reading(5_200, 300)], 300),
            (5_290, 0)
        );
        assert_eq!(together(&[], Duration::ZERO), None);
    }

    #[test]
    fn a_slow_answer_is_no_difference_and_a_wrong_clock_is_one() {
        // Both clocks agree: the second was read 1.5 s later.
        assert_eq!(
            told(&[reading(5_000, 0), reading(6_500, 1_500)], 1_500).1,
            0
        );
        assert_eq!(told(&[reading(5_000, 0), reading(65_000, 3)], 3).1, 59_997);
    }
}
