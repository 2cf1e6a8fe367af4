//! Keeps histories bounded: of a long run of attempts the first and the last stay, the rest is a count.

use std::collections::BTreeMap;

use crate::cycles::without_cycles;
use crate::event::{Answered, BranchIndex, Event, Fact};
use crate::operation::{Operation, Outcome};

/// How many attempts of one operation a compacted history keeps at most: the first and the last ones.
pub const ATTEMPTS_KEPT_MAX: u32 = 50;

/// How many attempts of all operations a compacted history keeps, if that leaves each its first and its last. Each may
/// hold a kilobyte of text, twice as many may stand there before they are compacted, and a store refuses what is too
/// long: a transaction of very many branches would end STUCK because its participants were silent for an hour.
const ATTEMPTS_KEPT_TOGETHER_MAX: usize = 10_000;

/// Answers how many attempts of one operation a compacted history of so many branches keeps.
pub(crate) fn attempts_kept(branches: usize) -> u32 {
    let operations = 2 * branches.max(1);
    let each = u32::try_from(ATTEMPTS_KEPT_TOGETHER_MAX / operations).unwrap_or(u32::MAX);
    each.clamp(2, ATTEMPTS_KEPT_MAX)
}

/// Answers a shorter history that folds to the same state. Left out are only attempts without a
/// settling answer, and cycles of refusal, standstill and retry.
#[must_use]
pub fn compact(events: &[Event]) -> Vec<Event> {
    let mut attempts: BTreeMap<(BranchIndex, Operation), Vec<usize>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let Some(key) = elidable(event) {
            attempts.entry(key).or_default().push(at);
        }
    }
    let kept_last = attempts_kept(branch_count(events)) as usize - 1;
    let mut replaced: BTreeMap<usize, Option<Event>> = BTreeMap::new();
    for (key, run) in attempts {
        if run.len() <= kept_last + 2 {
            continue;
        }
        let dropped = &run[1..run.len() - kept_last];
        replaced.extend(dropped.iter().map(|at| (*at, None)));
        replaced.insert(
            dropped[0],
            Some(elided(key, dropped.iter().map(|at| &events[*at]))),
        );
    }
    without_cycles(replace(events, replaced), kept_last + 1)
}

/// Puts other events, or none, in some places.
pub(crate) fn replace(
    events: &[Event],
    mut replaced: BTreeMap<usize, Option<Event>>,
) -> Vec<Event> {
    events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| replaced.remove(&at).unwrap_or_else(|| Some(event.clone())))
        .collect()
}

fn branch_count(events: &[Event]) -> usize {
    let created = if let Some(Fact::Created(definition)) = events.first().map(|event| &event.fact) {
        definition.branches.len()
    } else {
        0
    };
    let is_added = |event: &&Event| matches!(event.fact, Fact::BranchAdded(_));
    created + events.iter().filter(is_added).count()
}

fn elidable(event: &Event) -> Option<(BranchIndex, Operation)> {
    match &event.fact {
        Fact::Answered(Answered {
            branch,
            operation,
            outcome: Outcome::Unknown { .. } | Outcome::Ongoing,
            next_attempt_at: Some(_),
            ..
        }) => Some((*branch, *operation)),
        Fact::Elided {
            branch, operation, ..
        } => Some((*branch, *operation)),
        Fact::Created(_)
        | Fact::BranchAdded(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::Answered(_)
        | Fact::Recovered { .. }
        | Fact::TurnedRound { .. }
        | Fact::Committed
        | Fact::Aborted
        | Fact::Stuck { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. } => None,
    }
}

pub(crate) fn elided<'a>(
    (branch, operation): (BranchIndex, Operation),
    dropped: impl Iterator<Item = &'a Event>,
) -> Event {
    let (mut calls, mut attempts, mut first) = (0_u32, 0_u32, None);
    for event in dropped {
        first = first.or(Some((event.number, event.at)));
        let (c, a) = counts(&event.fact);
        calls = calls.saturating_add(c);
        attempts = attempts.saturating_add(a);
    }
    let (number, at) = first.unwrap_or_default();
    Event {
        number,
        at,
        fact: Fact::Elided {
            branch,
            operation,
            calls,
            attempts,
        },
    }
}

/// Answers how many calls and attempts an elidable fact stands for.
fn counts(fact: &Fact) -> (u32, u32) {
    match fact {
        Fact::Answered(answered) => match answered.outcome {
            Outcome::Ongoing => (1, 0),
            Outcome::Success | Outcome::Failure { .. } | Outcome::Unknown { .. } => (1, 1),
        },
        Fact::Elided {
            calls, attempts, ..
        } => (*calls, *attempts),
        Fact::Created(_)
        | Fact::BranchAdded(_)
        | Fact::Submitted
        | Fact::AbortRequested { .. }
        | Fact::Recovered { .. }
        | Fact::TurnedRound { .. }
        | Fact::Committed
        | Fact::Aborted
        | Fact::Stuck { .. }
        | Fact::Retried { .. }
        | Fact::Skipped { .. }
        | Fact::Forced { .. }
        | Fact::TryRequested { .. }
        | Fact::TryBegun { .. }
        | Fact::Completed { .. }
        | Fact::Hurried { .. } => (0, 0),
    }
}
