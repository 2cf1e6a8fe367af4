//! Judges repeated calls: an operation is delivered again only for a cause that promise P8 names.
//!
//! | cause | how it is known here |
//! |---|---|
//! | an Unknown or Ongoing answer | the participant gave it, or none within the call's time limit |
//! | a crash, a takeover | something befell the process that made the call, before its answer can have been recorded |
//! | an outage of the store | the same, of all processes |
//!
//! Who made a call is known by its connection, so a server that wakes up late can't hide behind what befell it before.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fleet::{Strike, Strikes};
use crate::ledger::Delivery;
use crate::load::{SAGA_CALL_LIMIT, TCC_CALL_LIMIT};
use crate::participants::Participants;

/// How long after an answer it may be unrecorded yet: until the next append, and the store's own time.
const SETTLES: Duration = Duration::from_secs(6);

/// Asserts that each delivery has a cause.
///
/// # Panics
/// One has none.
pub fn all_are_caused(participants: &Participants, strikes: &Strikes) {
    let found = without_cause(participants, strikes);
    let first = &found[..found.len().min(5)];
    assert!(
        found.is_empty(),
        "{} calls have no cause, as {first:#?}",
        found.len()
    );
}

/// Answers each delivery that has no cause, in words.
///
/// # Panics
/// It can't be told who called.
fn without_cause(participants: &Participants, strikes: &Strikes) -> Vec<String> {
    let deliveries = participants.ledger().all();
    let known = deliveries.iter().filter(|one| one.caller.is_some()).count();
    // A caller that is killed as it connects can't be told.
    assert!(
        known * 10 >= deliveries.len() * 9,
        "the judge is blind: {known} callers are known"
    );
    uncaused(&deliveries, &strikes.all(), SETTLES, limit_of)
}

/// Answers the time limit of a call.
fn limit_of(call: &Delivery) -> Duration {
    match call.operation.as_str() {
        "action" | "compensation" => SAGA_CALL_LIMIT,
        _ => TCC_CALL_LIMIT,
    }
}

/// Answers each delivery that has no cause, in words. `settles` is how long after an answer it may be unrecorded yet;
/// `limit` answers the time limit of a call.
fn uncaused(
    deliveries: &[Delivery],
    strikes: &[Strike],
    settles: Duration,
    limit: fn(&Delivery) -> Duration,
) -> Vec<String> {
    let mut by_operation: BTreeMap<_, Vec<&Delivery>> = BTreeMap::new();
    for one in deliveries {
        let key = (&one.gid, &one.branch_id, &one.operation);
        by_operation.entry(key).or_default().push(one);
    }
    let pairs = by_operation.values().flat_map(|all| all.windows(2));
    pairs
        .filter_map(|pair| match *pair {
            [first, again] if !is_caused(first, again, strikes, settles, limit(first)) => {
                Some(told(first, again))
            }
            _ => None,
        })
        .collect()
}

fn is_caused(
    first: &Delivery,
    again: &Delivery,
    strikes: &[Strike],
    settles: Duration,
    limit: Duration,
) -> bool {
    let answer = first.answered.filter(|(at, _)| *at <= again.at);
    let is_open = match answer {
        // Who called had given it up by then, if it came so late.
        Some((at, status)) => !is_word(status) || at.duration_since(first.at) >= limit,
        None => again.at.duration_since(first.at) >= limit,
    };
    let settled_at = answer.map_or(again.at, |(at, _)| at) + settles;
    let befell = |strike: &Strike| {
        let is_it = strike.pids.is_empty()
            || first
                .caller
                .is_none_or(|caller| strike.pids.contains(&caller));
        is_it && strike.from <= settled_at && strike.until.is_none_or(|until| until >= first.at)
    };
    is_open || strikes.iter().any(befell)
}

/// Whether an answer settles an operation.
fn is_word(status: u16) -> bool {
    match status {
        202 => false,
        200..=299 | 409 => true,
        _ => false,
    }
}

fn told(first: &Delivery, again: &Delivery) -> String {
    let after = |later: std::time::Instant| later.duration_since(first.at).as_millis();
    format!(
        "{}/{} {}: attempt {} by {:?}, answered {:?}, attempt {} by {:?} after {} ms",
        first.gid,
        first.branch_id,
        first.operation,
        first.attempt,
        first.caller,
        first.answered.map(|(at, status)| (after(at), status)),
        again.attempt,
        again.caller,
        after(again.at),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn delivery(caller: u32, at: Instant, answered: Option<(Instant, u16)>) -> Delivery {
        Delivery {
            order: 0,
            nth: 1,
            gid: "g".to_owned(),
            branch_id: "one".to_owned(),
            operation: "action".to_owned(),
            attempt: 1,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            caller: Some(caller),
            at,
            answered,
        }
    }

    fn count(deliveries: &[Delivery], strikes: &[Strike]) -> usize {
        uncaused(deliveries, strikes, SECOND, |_| 5 * SECOND).len()
    }

    #[test]
    fn a_word_needs_no_repetition_and_silence_does() {
        let now = Instant::now();
        for (status, uncaused) in [(200, 1), (409, 1), (202, 0), (500, 0)] {
            let first = delivery(1, now, Some((now, status)));
            let again = delivery(1, now + SECOND, None);
            assert_eq!(count(&[first, again], &[]), uncaused, "{status}");
        }
        let first = delivery(1, now, None);
        let soon = delivery(1, now + SECOND, None);
        let late = delivery(1, now + 5 * SECOND, None);
        assert_eq!(count(&[first.clone(), soon], &[]), 1);
        assert_eq!(count(&[first, late], &[]), 0);
        // An answer that nobody waits for any more is none.
        for (after, uncaused) in [(4, 1), (5, 0)] {
            let first = delivery(1, now, Some((now + after * SECOND, 200)));
            let again = delivery(1, now + 6 * SECOND, None);
            assert_eq!(count(&[first, again], &[]), uncaused, "after {after} s");
        }
    }

    #[test]
    fn what_befell_the_caller_is_a_cause_and_what_befell_another_is_none() {
        let now = Instant::now();
        let strike = |pid: Option<u32>, from: Instant, until: Option<Instant>| Strike {
            pids: pid.into_iter().collect(),
            from,
            until,
            what: "kill -9",
        };
        let first = delivery(1, now + 3 * SECOND, Some((now + 3 * SECOND, 200)));
        let again = delivery(2, now + 9 * SECOND, None);
        let pair = [first, again];
        let at = now + 4 * SECOND;
        assert_eq!(count(&pair, &[strike(Some(1), at, None)]), 0);
        assert_eq!(count(&pair, &[strike(None, at, None)]), 0);
        assert_eq!(count(&pair, &[strike(Some(2), at, None)]), 1);
        // It had been recorded long before.
        assert_eq!(count(&pair, &[strike(Some(1), at + SECOND, None)]), 1);
        // It was over when the call was made.
        assert_eq!(count(&pair, &[strike(Some(1), now, Some(now + SECOND))]), 1);
    }
}
