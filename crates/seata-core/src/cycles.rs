//! Cycles of refusal, by the participant or from outside, standstill and an operator's retry: of many the last ones stay,
//! the rest is a count.

use std::collections::BTreeMap;

use crate::branch::Trace;
use crate::event::{Answered, BranchIndex, CompletionEnd, Event, Fact};
use crate::history::{elided, replace};
use crate::id::Gid;
use crate::operation::{Mode, Operation, Outcome};
use crate::transaction::Transaction;

type Key = (BranchIndex, Operation);

/// Answers a history that keeps the last `kept` retries and what came after them. The history stays as it is if a
/// shorter one would not fold to the same state: an order about one branch may have left another one refused.
pub(crate) fn without_cycles(events: Vec<Event>, kept: usize) -> Vec<Event> {
    let retries: Vec<usize> = (0..events.len())
        .filter(|at| is_retry(&events[*at]))
        .collect();
    let older = retries.len().saturating_sub(kept);
    if older == 0 {
        return events;
    }
    let shorter = shortened(&events, retries[older]);
    if tells_the_same(&events, &shorter) {
        shorter
    } else {
        events
    }
}

fn shortened(events: &[Event], cut: usize) -> Vec<Event> {
    let (last, last_told) = (last_answers(events), last_told(events));
    let mut runs: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    let mut replaced = BTreeMap::new();
    for (at, event) in events.iter().enumerate().take(cut) {
        let ends_standstill = matches!(event.fact, Fact::Stuck { .. }) && is_retry(&events[at + 1]);
        if is_retry(event) || ends_standstill {
            replaced.insert(at, None);
        } else if let Some(key) = countable(event).filter(|key| last.get(key) > Some(&at)) {
            runs.entry(key).or_default().push(at);
        } else if let Some(key) = told_to_have_failed(event)
            && last.get(&key).max(last_told.get(&key)) > Some(&at)
        {
            replaced.insert(at, None);
        }
    }
    for (key, run) in runs {
        replaced.extend(run.iter().map(|at| (*at, None)));
        let dropped = run.iter().map(|at| &events[*at]);
        replaced.insert(run[0], Some(elided(key, dropped)));
    }
    replace(events, replaced)
}

const fn is_retry(event: &Event) -> bool {
    matches!(event.fact, Fact::Retried { .. })
}

/// Answers whose refusal this is, if another answer can have followed it, or whose answers were counted before. An answer
/// that put no other attempt off came after a refusal from outside, and changed nothing.
fn countable(event: &Event) -> Option<Key> {
    let key = if let Fact::Answered(Answered {
        branch,
        operation,
        outcome: Outcome::Failure { .. } | Outcome::Unknown { .. } | Outcome::Ongoing,
        next_attempt_at: None,
        ..
    }) = &event.fact
    {
        (*branch, *operation)
    } else if let Fact::Elided {
        branch, operation, ..
    } = &event.fact
    {
        (*branch, *operation)
    } else {
        return None;
    };
    is_until_done(key.1).then_some(key)
}

/// Answers whose refusal from outside this is, if another answer can have followed it.
fn told_to_have_failed(event: &Event) -> Option<Key> {
    if let Fact::Completed {
        branch,
        operation,
        end: CompletionEnd::Failed { .. },
    } = &event.fact
    {
        is_until_done(*operation).then_some((*branch, *operation))
    } else {
        None
    }
}

const fn is_until_done(operation: Operation) -> bool {
    match operation {
        Operation::Compensation | Operation::Confirm | Operation::Cancel => true,
        Operation::Action | Operation::Try => false,
    }
}

/// Answers where the last refusal from outside of each operation stands.
fn last_told(events: &[Event]) -> BTreeMap<Key, usize> {
    let told = |(at, event): (usize, &Event)| told_to_have_failed(event).map(|key| (key, at));
    events.iter().enumerate().filter_map(told).collect()
}

/// Answers where the last answer of each operation stands.
fn last_answers(events: &[Event]) -> BTreeMap<Key, usize> {
    let answer = |(at, event): (usize, &Event)| {
        if let Fact::Answered(answered) = &event.fact {
            Some(((answered.branch, answered.operation), at))
        } else {
            None
        }
    };
    events.iter().enumerate().filter_map(answer).collect()
}

fn tells_the_same(one: &[Event], other: &[Event]) -> bool {
    let (one, other) = (told(one), told(other));
    one.is_some() && one == other
}

/// Folds what can matter: not how much is written one by one, and no doubt about what is called until it is done.
fn told(events: &[Event]) -> Option<Transaction> {
    let gid = Gid::parse("told").ok()?;
    let mut transaction = Transaction::fold(&gid, events).ok()?;
    transaction.recorded_max = 0;
    transaction.retries = 0;
    let until_done = match transaction.mode() {
        Mode::Saga => &[Operation::Compensation][..],
        Mode::Tcc => &[Operation::Confirm, Operation::Cancel],
    };
    for (_, branch) in transaction.table.iter_mut() {
        branch.progress_mut(Operation::Action).recorded = 0;
        for operation in until_done {
            let progress = branch.progress_mut(*operation);
            progress.recorded = 0;
            progress.trace = Trace::Doubtful;
        }
    }
    Some(transaction)
}
