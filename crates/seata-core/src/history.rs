//! Keeps histories bounded: of a long run of attempts the first and the last stay, the rest is a count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::cycles::without_cycles;
use crate::event::{Answered, BranchIndex, Event, Fact};
use crate::operation::{Mode, Operation, Outcome};

/// How many attempts of one operation a compacted history keeps at most: the first and the last ones.
pub const ATTEMPTS_KEPT_MAX: u32 = 50;

/// How many attempts of all operations a compacted history keeps, if that leaves each its first and its last. Each may
/// hold a kilobyte of text, twice as many may stand there before they are compacted, and a store refuses what is too
/// long: a transaction of very many branches would end STUCK because its participants were silent for an hour.
const ATTEMPTS_KEPT_TOGETHER_MAX: usize = 10_000;

/// Answers how many attempts of one operation a compacted history of so many branches of this mode keeps.
pub(crate) fn attempts_kept(mode: Mode, branches: usize) -> u32 {
    let of_each_branch = match mode {
        Mode::Saga => 2,
        Mode::Tcc => 3,
    };
    let operations = of_each_branch * branches.max(1);
    let each = u32::try_from(ATTEMPTS_KEPT_TOGETHER_MAX / operations).unwrap_or(u32::MAX);
    each.clamp(2, ATTEMPTS_KEPT_MAX)
}

/// Answers a shorter history that folds to the same state. Left out are only attempts without a
/// settling answer, and cycles of refusal, standstill and retry.
#[must_use]
pub fn compact(events: &[Event]) -> Vec<Event> {
    let (mode, branches) = shape(events);
    compact_to(events, attempts_kept(mode, branches) as usize)
}

/// Keeps so many attempts of one operation, at least two.
pub(crate) fn compact_to(events: &[Event], kept: usize) -> Vec<Event> {
    let kept_last = kept - 1;
    let tries = try_orders(events);
    let mut attempts: BTreeMap<(BranchIndex, Operation), Vec<usize>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let Some(key) = elidable(event, tries.get(&at)) {
            attempts.entry(key).or_default().push(at);
        }
    }
    let mut replaced: BTreeMap<usize, Option<Event>> =
        moot_hurries(events).map(|at| (at, None)).collect();
    for (key, run) in attempts {
        if run.len() <= kept_last + 2 {
            continue;
        }
        let dropped = &run[1..run.len() - kept_last];
        replaced.extend(dropped.iter().map(|at| (*at, None)));
        let orders = dropped.iter().filter_map(|at| tries.get(at)).flatten();
        replaced.extend(orders.map(|at| (*at, None)));
        let counts: Vec<(usize, Option<Event>)> = dropped
            .chunk_by(|one, next| !numbers_between(events, key, *one..*next, &replaced))
            .map(|stretch| (stretch[0], stretch.iter().map(|at| &events[*at])))
            .map(|(first, left_out)| (first, Some(elided(key, left_out))))
            .collect();
        replaced.extend(counts);
    }
    without_cycles(replace(events, replaced), kept)
}

/// Says whether a beginning of this try is kept in between: it bears a number, so that what is counted before it must
/// not be counted together with what comes after it.
fn numbers_between(
    events: &[Event],
    (branch, operation): (BranchIndex, Operation),
    between: Range<usize>,
    replaced: &BTreeMap<usize, Option<Event>>,
) -> bool {
    operation == Operation::Try
        && between.into_iter().any(|at| {
            matches!(events[at].fact, Fact::TryBegun { branch: begun, .. } if begun == branch)
                && !replaced.contains_key(&at)
        })
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

/// Answers the mode, and how many branches there are. What does not begin with a creation is no history at all.
fn shape(events: &[Event]) -> (Mode, usize) {
    let (mode, created) =
        if let Some(Fact::Created(definition)) = events.first().map(|event| &event.fact) {
            (definition.mode, definition.branches.len())
        } else {
            (Mode::Saga, 0)
        };
    let is_added = |event: &&Event| matches!(event.fact, Fact::BranchAdded(_));
    (mode, created + events.iter().filter(is_added).count())
}

/// Answers for each answer to a try where the two events stand that led to it: it was asked for, and it was begun. An
/// answer whose order is not so plain, because a driver was lost meanwhile, has no entry and is kept.
fn try_orders(events: &[Event]) -> BTreeMap<usize, [usize; 2]> {
    let mut orders = BTreeMap::new();
    let mut asked: BTreeMap<BranchIndex, usize> = BTreeMap::new();
    let mut begun: BTreeMap<BranchIndex, [usize; 2]> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        match &event.fact {
            Fact::TryRequested { branch } => {
                begun.remove(branch);
                asked.insert(*branch, at);
            }
            Fact::TryBegun { branch, .. } => {
                if let Some(first) = asked.remove(branch) {
                    begun.insert(*branch, [first, at]);
                }
            }
            Fact::Answered(answered) if answered.operation == Operation::Try => {
                if let Some(order) = begun.remove(&answered.branch) {
                    orders.insert(at, order);
                }
            }
            Fact::Recovered { .. } => begun.clear(),
            Fact::Created(_)
            | Fact::BranchAdded(_)
            | Fact::Submitted
            | Fact::AbortRequested { .. }
            | Fact::Answered(_)
            | Fact::TurnedRound { .. }
            | Fact::Committed
            | Fact::Aborted
            | Fact::Stuck { .. }
            | Fact::Retried { .. }
            | Fact::Skipped { .. }
            | Fact::Forced { .. }
            | Fact::Completed { .. }
            | Fact::Hurried { .. }
            | Fact::Elided { .. } => {}
        }
    }
    orders
}

/// Answers where the wishes to hurry stand that an answer followed: they change nothing any more.
fn moot_hurries(events: &[Event]) -> impl Iterator<Item = usize> {
    let mut answered: BTreeSet<BranchIndex> = BTreeSet::new();
    let mut moot = Vec::new();
    for (at, event) in events.iter().enumerate().rev() {
        match &event.fact {
            Fact::Answered(answer) if answer.operation != Operation::Try => {
                answered.insert(answer.branch);
            }
            Fact::Hurried { branch } if answered.contains(branch) => moot.push(at),
            Fact::Hurried { .. }
            | Fact::Answered(_)
            | Fact::Created(_)
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
            | Fact::Elided { .. } => {}
        }
    }
    moot.into_iter()
}

fn elidable(event: &Event, try_order: Option<&[usize; 2]>) -> Option<(BranchIndex, Operation)> {
    match &event.fact {
        Fact::Answered(Answered {
            branch,
            operation: Operation::Try,
            outcome: Outcome::Unknown { .. } | Outcome::Ongoing,
            ..
        }) => try_order.map(|_| (*branch, Operation::Try)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_operations_together_keep_a_bounded_number_of_attempts() {
        for (mode, operations) in [(Mode::Saga, 2), (Mode::Tcc, 3)] {
            for branches in [1, 70, 200, 500, 1_000] {
                let each = attempts_kept(mode, branches);
                let together = each as usize * operations * branches;
                assert!(
                    together <= ATTEMPTS_KEPT_TOGETHER_MAX,
                    "{mode} of {branches}"
                );
            }
            assert_eq!(attempts_kept(mode, 10), ATTEMPTS_KEPT_MAX);
            assert_eq!(attempts_kept(mode, 1_000_000), 2, "the first and the last");
        }
    }
}
