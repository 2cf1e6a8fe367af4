//! When a call is made again: capped exponential back-off with jitter derived from the gid and the attempt.

use std::time::Duration;

use crate::id::Gid;

/// Says when an operation is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The interval after the first attempt; also the fixed interval after `Ongoing`.
    pub first: Duration,
    /// The longest interval.
    pub max: Duration,
    /// Attempts of an action in all; 0: until the deadline.
    pub max_attempts: u32,
}

/// Answers how long to wait after attempt number `attempt` (from 1): `first` doubled per attempt, at most `max`, then
/// scaled into its upper half by a value that only gid, `salt` and attempt decide, so that crowds spread out and
/// the same transaction always waits the same. At least 1 ms.
///
/// The shape is "equal jitter" of the AWS Architecture Blog, "Exponential Backoff And Jitter".
#[must_use]
pub fn backoff(policy: RetryPolicy, gid: &Gid, salt: u64, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let full = policy
        .first
        .saturating_mul(1 << doublings)
        .min(policy.max.max(policy.first));
    let full_ms = u64::try_from(full.as_millis()).unwrap_or(u64::MAX).max(1);
    let half_ms = full_ms / 2;
    let jitter_ms = hash(gid, salt, attempt) % (full_ms - half_ms + 1);
    Duration::from_millis((half_ms + jitter_ms).max(1))
}

/// FNV-1a over the inputs, then the finalizer of splitmix64.
fn hash(gid: &Gid, salt: u64, attempt: u32) -> u64 {
    let inputs = gid
        .as_str()
        .bytes()
        .chain(salt.to_le_bytes())
        .chain(attempt.to_le_bytes());
    let fnv = inputs.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn policy(first_ms: u64, max_ms: u64) -> RetryPolicy {
        RetryPolicy {
            first: Duration::from_millis(first_ms),
            max: Duration::from_millis(max_ms),
            max_attempts: 0,
        }
    }

    #[test]
    fn back_off_doubles_up_to_its_cap_and_never_beyond() {
        let gid = Gid::parse("g").unwrap();
        for attempt in 1..200_u32 {
            let full_ms = 100_u64
                .saturating_mul(1 << (attempt - 1).min(20))
                .min(60_000);
            let wait_ms =
                u64::try_from(backoff(policy(100, 60_000), &gid, 1, attempt).as_millis()).unwrap();
            assert!(
                (full_ms / 2..=full_ms).contains(&wait_ms),
                "attempt {attempt}: {wait_ms} of {full_ms}"
            );
        }
    }

    #[test]
    fn jitter_is_fixed_by_gid_and_attempt_and_spreads_different_gids() {
        let waits: std::collections::BTreeSet<_> = (0..100)
            .map(|n| {
                backoff(
                    policy(1_000, 60_000),
                    &Gid::parse(&format!("g{n}")).unwrap(),
                    0,
                    3,
                )
            })
            .collect();
        assert!(waits.len() > 80, "{}", waits.len());
        let gid = Gid::parse("same").unwrap();
        assert_eq!(
            backoff(policy(7, 9), &gid, 1, 2),
            backoff(policy(7, 9), &gid, 1, 2)
        );
    }

    #[test]
    fn sub_second_and_contrary_intervals_still_wait() {
        let gid = Gid::parse("g").unwrap();
        assert!(backoff(policy(0, 0), &gid, 0, 1) >= Duration::from_millis(1));
        assert!(backoff(policy(500, 10), &gid, 0, 9) >= Duration::from_millis(250));
    }
}
