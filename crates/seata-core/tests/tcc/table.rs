//! The whole transition table: what each fact makes of each state, or that it can't follow it.

use std::sync::Arc;

use seata_core::{BranchIndex, End, Fact, Operation, Outcome, Status, Transaction};

use crate::script::{failure, unknown};
use crate::spec::{branch, tcc};
use crate::states::*;

fn rows() -> Vec<(&'static str, Fact)> {
    use Operation::{Action, Cancel, Confirm, Try};
    let nowhere = BranchIndex(9);
    let ok = |branch, operation| answered(branch, operation, Outcome::Success);
    vec![
        ("created", Fact::Created(Arc::new(tcc("a").0))),
        ("c registered", Fact::BranchAdded(Arc::new(branch("c")))),
        ("a registered", Fact::BranchAdded(Arc::new(branch("a")))),
        ("try of a asked", asked_try()),
        ("try of b asked", Fact::TryRequested { branch: B }),
        ("try of a begun", begun()),
        ("submitted", Fact::Submitted),
        ("abort asked", asked()),
        ("try a: success", ok(A, Try)),
        ("try a: failure", answered(A, Try, failure())),
        ("try a: unknown", answered(A, Try, unknown())),
        ("try b: success", ok(B, Try)),
        ("confirm a: success", ok(A, Confirm)),
        ("confirm a: failure", answered(A, Confirm, failure())),
        ("confirm a: unknown", answered(A, Confirm, unknown())),
        ("cancel a: success", ok(A, Cancel)),
        ("cancel a: failure", answered(A, Cancel, failure())),
        ("cancel a: ongoing", answered(A, Cancel, Outcome::Ongoing)),
        ("confirm of nobody", ok(nowhere, Confirm)),
        ("action a: success", ok(A, Action)),
        ("try a told", succeeded(A, Try)),
        ("try b told", refused(B, Try)),
        ("confirm b told", succeeded(B, Confirm)),
        ("cancel b told", refused(B, Cancel)),
        ("recovered", recovered()),
        ("turned, all", turned(&[A, B])),
        ("turned, some", turned(&[A])),
        ("committed", Fact::Committed),
        ("aborted", Fact::Aborted),
        ("stuck", stuck()),
        ("retried: all", retried(None)),
        ("hurried: a", Fact::Hurried { branch: A }),
        ("hurried: nobody", Fact::Hurried { branch: nowhere }),
        ("skipped: try a", skipped(A, Try)),
        ("skipped: confirm a", skipped(A, Confirm)),
        ("skipped: cancel b", skipped(B, Cancel)),
        ("forced to commit", forced(End::Committed)),
        ("forced to abort", forced(End::Aborted)),
        ("elided: try a", elided(A, Try)),
        ("elided: action a", elided(A, Action)),
    ]
}

/// What each fact makes of each state, in the order of [`State::ALL`]: Prepared, Submitted, aborTing, Committed,
/// Aborted, stucK; a dot where it can't follow.
#[rustfmt::skip]
const TABLE: &[(&str, &str)] = &[
    ("created",             "......... .... .... ... .."),
    ("c registered",        "PPPPPPPPP .... .... ... .."),
    ("a registered",        "......... .... .... ... .."),
    ("try of a asked",      "P.P..PPPP .... .... ... .."),
    ("try of b asked",      "......... .... .... ... .."),
    ("try of a begun",      ".P....... .... .... ... .."),
    ("submitted",           "SSSSSS... .... .... ... .."),
    ("abort asked",         "PPPPPPPPP .... .... K.. .."),
    ("try a: success",      "PPP..PPPP .... TTTT ... .."),
    ("try a: failure",      "PPP..PPPP .... TTTT ... .."),
    ("try a: unknown",      "PPP..PPPP .... TTTT ... .."),
    ("try b: success",      "......... .... .... ... .."),
    ("confirm a: success",  "......... SS.. .... ... .."),
    ("confirm a: failure",  "......... SS.. .... ... .."),
    ("confirm a: unknown",  "......... SS.. .... ... .."),
    ("cancel a: success",   "......... .... TT.. ... .."),
    ("cancel a: failure",   "......... .... TT.. ... .."),
    ("cancel a: ongoing",   "......... .... TT.. ... .."),
    ("confirm of nobody",   "......... .... .... ... .."),
    ("action a: success",   "......... .... .... ... .."),
    ("try a told",          "PPP..PPPP .... .... ... .."),
    ("try b told",          "PPPPPPPPP .... .... ... .."),
    ("confirm b told",      "......... SSS. .... ... .."),
    ("cancel b told",       "......... .... TTT. ... .."),
    ("recovered",           "PPPPPPPPP SSSS TTTT KKK .."),
    ("turned, all",         "TTTTTTT.T .... .... T.. .."),
    ("turned, some",        "......... .... .... ... .."),
    ("committed",           ".......C. ...C .... ... .."),
    ("aborted",             "........A .... ...A ... .."),
    ("stuck",               "KKKKKKKKK KKKK KKKK ... .."),
    ("retried: all",        "......... SSSS TTTT .ST .."),
    ("hurried: a",          "......... SSSS TTTT ... .."),
    ("hurried: nobody",     "......... .... .... ... .."),
    ("skipped: try a",      "......... .... .... ... .."),
    ("skipped: confirm a",  "......... SSS. .... .S. .."),
    ("skipped: cancel b",   "......... .... TTT. ..T .."),
    ("forced to commit",    "PPPPPPPPP SSSS .... KK. .."),
    ("forced to abort",     "PPPPPPPPP .... TTTT K.K .."),
    ("elided: try a",       "PPPPPPPPP SSSS TTTT KKK CA"),
    ("elided: action a",    "......... .... .... ... .."),
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
    let actual: Vec<String> = rows()
        .iter()
        .map(|(name, fact)| {
            let row: String = states.iter().map(|txn| letter(txn, fact)).collect();
            format!("{name:20} {row}")
        })
        .collect();
    let expected: Vec<String> = TABLE
        .iter()
        .map(|(name, row)| format!("{name:20} {}", row.replace(' ', "")))
        .collect();
    assert_eq!(actual.join("\n"), expected.join("\n"));
}

#[test]
fn every_fact_has_a_row() {
    let mut words: Vec<_> = rows().iter().map(|(_, fact)| fact.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), 18);
}
