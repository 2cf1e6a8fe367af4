//! The whole transition table: what each fact makes of each state, or that it can't follow it.

use std::sync::Arc;

use seata_core::{
    BranchIndex, End, Event, Fact, FencingToken, Operation, Outcome, Status, Transaction,
    UnixMillis,
};

use crate::script::{failure, unknown};
use crate::spec::{branch, gid, saga};
use crate::states::*;

/// Names the row of a fact's first case. A new fact does not compile until it has a row.
fn first_row(fact: &Fact) -> &'static str {
    match fact {
        Fact::Created(_) => "created",
        Fact::BranchAdded(_) => "branch c added",
        Fact::Submitted => "submitted",
        Fact::AbortRequested { .. } => "abort asked",
        Fact::Answered(_) => "action a: success",
        Fact::Recovered { .. } => "recovered",
        Fact::TurnedRound { .. } => "turned, undo a",
        Fact::Committed => "committed",
        Fact::Aborted => "aborted",
        Fact::Stuck { .. } => "stuck",
        Fact::Retried { .. } => "retried: all",
        Fact::Skipped { .. } => "skipped: action a",
        Fact::Forced { .. } => "forced to commit",
        Fact::TryRequested { .. } => "try asked",
        Fact::TryBegun { .. } => "try begun",
        Fact::Completed { .. } => "completed: action a",
        Fact::Hurried { .. } => "hurried",
        Fact::Elided { .. } => "elided: action a",
    }
}

fn rows() -> Vec<(&'static str, Fact)> {
    use Operation::{Action, Compensation};
    let nowhere = BranchIndex(9);
    vec![
        ("created", Fact::Created(Arc::new(saga("a").0))),
        ("branch c added", Fact::BranchAdded(Arc::new(branch("c")))),
        ("branch a added", Fact::BranchAdded(Arc::new(branch("a")))),
        ("submitted", Fact::Submitted),
        ("abort asked", asked()),
        ("action a: success", answered(A, Action, Outcome::Success)),
        ("action a: failure", answered(A, Action, failure())),
        ("action a: ongoing", answered(A, Action, Outcome::Ongoing)),
        ("action a: unknown", answered(A, Action, unknown())),
        (
            "action a: last unknown",
            answered_until(A, Action, unknown(), None),
        ),
        ("action b: success", answered(B, Action, Outcome::Success)),
        (
            "action of nobody",
            answered(nowhere, Action, Outcome::Success),
        ),
        (
            "undo a: success",
            answered(A, Compensation, Outcome::Success),
        ),
        ("undo a: failure", answered(A, Compensation, failure())),
        (
            "undo a: ongoing",
            answered(A, Compensation, Outcome::Ongoing),
        ),
        ("undo a: unknown", answered(A, Compensation, unknown())),
        (
            "undo a: last unknown",
            answered_until(A, Compensation, unknown(), None),
        ),
        (
            "undo b: success",
            answered(B, Compensation, Outcome::Success),
        ),
        (
            "recovered",
            Fact::Recovered {
                token: FencingToken(2),
            },
        ),
        ("turned, undo a", turned(&[A])),
        ("turned, undo nobody", turned(&[])),
        ("turned, undo whom?", turned(&[nowhere])),
        ("committed", Fact::Committed),
        ("aborted", Fact::Aborted),
        ("stuck", stuck()),
        ("retried: all", retried(None)),
        ("retried: a", retried(Some(A))),
        ("skipped: action a", skipped(A, Action)),
        ("skipped: action b", skipped(B, Action)),
        ("skipped: undo a", skipped(A, Compensation)),
        ("skipped: undo b", skipped(B, Compensation)),
        ("skipped: nobody's", skipped(nowhere, Action)),
        ("forced to commit", forced(End::Committed)),
        ("forced to abort", forced(End::Aborted)),
        ("elided: action a", elided(A)),
        ("elided: nobody's", elided(nowhere)),
        ("try asked", Fact::TryRequested { branch: A }),
        (
            "try begun",
            Fact::TryBegun {
                branch: A,
                number: 1,
                until: UnixMillis(50),
            },
        ),
        ("completed: action a", completed(A, Action)),
        ("completed: undo a", completed(A, Compensation)),
        ("failed: action b", failed(B, Action)),
        ("failed: undo a", failed(A, Compensation)),
        ("completed: nobody's", completed(nowhere, Action)),
        ("hurried", Fact::Hurried { branch: A }),
    ]
}

/// What each fact makes of each state, in the order of [`State::ALL`]: Prepared, Submitted, aborTing, Committed,
/// Aborted, stucK; a dot where it can't follow.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("created",                 "........ .... ... .."),
    ("branch c added",          "PP...... .... ... .."),
    ("branch a added",          "........ .... ... .."),
    ("submitted",               "SS...... .... ... .."),
    ("abort asked",             "PPSSSSSS .... KK. .."),
    ("action a: success",       "..SS..SS T... ... .."),
    ("action a: failure",       "..SS..SS T... ... .."),
    ("action a: ongoing",       "..SS..SS T... ... .."),
    ("action a: unknown",       "..SS..SS T... ... .."),
    ("action a: last unknown",  "..SS..SS T... ... .."),
    ("action b: success",       "....S... T... ... .."),
    ("action of nobody",        "........ .... ... .."),
    ("undo a: success",         "........ TTT. ... .."),
    ("undo a: failure",         "........ TTT. ... .."),
    ("undo a: ongoing",         "........ TTT. ... .."),
    ("undo a: unknown",         "........ TTT. ... .."),
    ("undo a: last unknown",    "........ .... ... .."),
    ("undo b: success",         "........ .... ... .."),
    ("recovered",               "..SSSSSS TTTT .KK .."),
    ("turned, undo a",          "TTTTTT.T .... TT. .."),
    ("turned, undo nobody",     "TTTTTT.T .... TT. .."),
    ("turned, undo whom?",      "........ .... ... .."),
    ("committed",               ".....CC. .... ... .."),
    ("aborted",                 ".......A ...A ... .."),
    ("stuck",                   "KKKKKKKK KKKK ... .."),
    ("retried: all",            "..SSSSSS TTTT .ST .."),
    ("retried: a",              "..SSSSSS TTTT .ST .."),
    ("skipped: action a",       "..SSS.SS .... .S. .."),
    ("skipped: action b",       "..SSS.SS .... .S. .."),
    ("skipped: undo a",         "........ TTT. ..T .."),
    ("skipped: undo b",         "........ .... ... .."),
    ("skipped: nobody's",       "........ .... ... .."),
    ("forced to commit",        "PPSSSSSS .... KK. .."),
    ("forced to abort",         "PPSSSSSS TTTT KKK .."),
    ("elided: action a",        "PPSSSSSS TTTT KKK CA"),
    ("elided: nobody's",        "........ .... ... .."),
    ("try asked",               "........ .... ... .."),
    ("try begun",               "........ .... ... .."),
    ("completed: action a",     "..SS..SS .... ... .."),
    ("completed: undo a",       "........ TTT. ... .."),
    ("failed: action b",        "..SSS.SS .... ... .."),
    ("failed: undo a",          "........ TTT. ... .."),
    ("completed: nobody's",     "........ .... ... .."),
    ("hurried",                 "........ .... ... .."),
];

fn letter(txn: &Transaction, fact: &Fact) -> char {
    let mut txn = txn.clone();
    let event = next(&txn, fact.clone());
    match txn.try_apply(&event) {
        Err(illegal) => {
            assert_eq!(illegal.fact, fact.as_str());
            '.'
        }
        Ok(()) => match txn.status() {
            Status::Prepared => 'P',
            Status::Submitted => 'S',
            Status::Aborting => 'T',
            Status::Committed => 'C',
            Status::Aborted => 'A',
            Status::Stuck => 'K',
        },
    }
}

#[test]
fn every_fact_in_every_state_does_what_the_table_says() {
    let states: Vec<_> = State::ALL.iter().map(|state| state.reach()).collect();
    let actual: Vec<(&str, String)> = rows()
        .iter()
        .map(|(name, fact)| (*name, states.iter().map(|txn| letter(txn, fact)).collect()))
        .collect();
    let expected: Vec<(&str, String)> = TABLE
        .iter()
        .map(|(name, row)| (*name, row.replace(' ', "")))
        .collect();
    assert_eq!(actual, expected);
}

#[test]
fn every_fact_has_a_row() {
    for (name, fact) in rows() {
        let first = first_row(&fact);
        assert!(rows().iter().any(|(name, _)| *name == first), "{name}");
    }
    let mut words: Vec<_> = rows().iter().map(|(_, fact)| fact.as_str()).collect();
    words.dedup();
    assert_eq!(words.len(), 18);
}

#[test]
fn an_event_whose_number_does_not_rise_is_refused_in_every_state() {
    for state in State::ALL {
        let mut txn = state.reach();
        let mut event = next(&txn, asked());
        event.number = txn.last_event();
        assert!(txn.try_apply(&event).is_err(), "{state:?}");
    }
}

#[test]
fn a_history_begins_with_its_creation() {
    assert!(Transaction::fold(&gid(), []).is_err());
    let submitted = Event {
        number: 1,
        at: UnixMillis(0),
        fact: Fact::Submitted,
    };
    let illegal = Transaction::fold(&gid(), [&submitted]).unwrap_err();
    assert_eq!(
        illegal.to_string(),
        "event 1 (submitted) cannot follow the state NONE"
    );
}

#[test]
fn a_record_without_a_number_left_is_refused() {
    let mut created = Transaction::create(Arc::new(saga("a").0), UnixMillis(0)).unwrap();
    let mut txn = Transaction::fold(&gid(), [&created]).unwrap();
    let mut event = next(&txn, asked());
    event.number = u32::MAX;
    assert!(txn.try_apply(&event).is_err());
    created.number = u32::MAX;
    assert!(Transaction::fold(&gid(), [&created]).is_err());
}

#[test]
fn branches_that_fit_no_order_are_refused_when_they_are_read() {
    for branches in ["a:b b:a", "a:x", "a a"] {
        let created = Event {
            number: 1,
            at: UnixMillis(0),
            fact: Fact::Created(Arc::new(saga(branches).0)),
        };
        assert!(Transaction::fold(&gid(), [&created]).is_err(), "{branches}");
    }
    for added in ["c:x", "c:c"] {
        let mut txn = State::Prepared.reach();
        let event = next(&txn, Fact::BranchAdded(Arc::new(branch(added))));
        assert!(txn.try_apply(&event).is_err(), "{added}");
    }
}
