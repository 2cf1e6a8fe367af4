//! Histories stay bounded, and a shorter one tells the same.

use seata_core::{ATTEMPTS_KEPT_MAX, Fact, Operation, Status, Transaction, compact};

use crate::driven::Driven;
use crate::script::*;
use crate::spec::{gid, tcc};

fn tried_in_vain(times: i64) -> Driven {
    let mut driven = Driven::new(&tcc("a b*"));
    for at in 0..times {
        play(&mut driven, ask_try("a"), at);
        play(&mut driven, silent("a", Try), at);
    }
    driven
}

fn fold(events: &[seata_core::Event]) -> Transaction {
    Transaction::fold(&gid(), events).unwrap()
}

#[test]
fn a_try_that_is_asked_for_again_and_again_keeps_its_first_and_last_attempts() {
    let driven = tried_in_vain(200);
    assert!(driven.txn.compaction_due());
    let short = compact(&driven.events);
    assert!(
        short.len() < 4 * ATTEMPTS_KEPT_MAX as usize,
        "{}",
        short.len()
    );
    let folded = fold(&short);
    assert_eq!(folded.branches(), driven.txn.branches());
    assert_eq!(folded.status(), driven.txn.status());
    assert!(!folded.compaction_due());
    assert_eq!(compact(&short), short, "once is enough");
}

#[test]
fn a_compacted_history_goes_on() {
    let mut driven = tried_in_vain(200);
    driven.compact();
    assert_eq!(
        play(&mut driven, ask_try("a"), 300),
        "try_requested, a until 1300, try a#201"
    );
    driven.compact();
    play(&mut driven, ok("a", Try), 301);
    assert_eq!(
        play(&mut driven, submit(), 302),
        "submitted, confirm a#1, confirm b#1"
    );
    driven.compact();
    play(&mut driven, ok("a", Confirm), 303);
    assert_eq!(play(&mut driven, ok("b", Confirm), 304), "committed");
}

#[test]
fn an_attempt_whose_driver_was_lost_is_kept_with_its_limit() {
    let mut driven = tried_in_vain(200);
    play(&mut driven, ask_try("a"), 300);
    play(&mut driven, crash(), 301);
    driven.compact();
    play(&mut driven, abort(), 302);
    driven.compact();
    assert_eq!(play(&mut driven, wake(), 1_299), "");
    assert_eq!(play(&mut driven, wake(), 1_300), "cancel a#1");
}

#[test]
fn attempts_are_counted_on_both_sides_of_one_whose_driver_was_lost() {
    let mut driven = Driven::new(&tcc("a"));
    for at in 0..200 {
        play(&mut driven, ask_try("a"), at);
        if at % 60 == 9 {
            play(&mut driven, crash(), at);
            play(&mut driven, ask_try("a"), at);
        }
        play(&mut driven, silent("a", Try), at);
    }
    let short = compact(&driven.events);
    assert!(
        short.len() < 4 * ATTEMPTS_KEPT_MAX as usize,
        "{}",
        short.len()
    );
    let folded = fold(&short);
    assert_eq!(folded.branches(), driven.txn.branches());
    assert_eq!(
        folded.try_limit(index(&folded, "a")),
        driven.txn.try_limit(index(&folded, "a"))
    );
    assert!(!folded.compaction_due());
    assert_eq!(compact(&short), short, "once is enough");
}

#[test]
fn refusals_from_outside_and_retries_are_cut_like_those_of_the_participant() {
    for flies in [false, true] {
        let mut driven = Driven::new(&tcc("a*"));
        play(&mut driven, submit(), 0);
        for at in 1..200 {
            if flies {
                play(&mut driven, not_confirmed("a"), at);
                play(&mut driven, silent("a", Confirm), at);
            } else {
                play(&mut driven, ongoing("a", Confirm), at);
                play(&mut driven, not_confirmed("a"), at);
            }
            assert_eq!(driven.txn.status(), Status::Stuck);
            play(&mut driven, retry_all(), at);
        }
        assert!(driven.txn.compaction_due());
        let short = compact(&driven.events);
        let bound = 5 * ATTEMPTS_KEPT_MAX as usize;
        assert!(short.len() < bound, "{flies} {}", short.len());
        let mut folded = fold(&short);
        let (a, attempt) = (index(&folded, "a"), driven.flights.values().next().unwrap());
        folded.call_begun(a, Operation::Confirm, *attempt);
        assert_eq!(folded.branches(), driven.txn.branches());
        assert!(!folded.compaction_due());
        assert_eq!(compact(&short), short, "once is enough");
    }
}

#[test]
fn wishes_to_hurry_are_kept_only_until_they_are_followed() {
    let mut driven = Driven::new(&tcc("a*"));
    play(&mut driven, submit(), 0);
    for at in 0..10 {
        play(&mut driven, silent("a", Confirm), at);
        assert_eq!(
            play(&mut driven, confirm("a"), at),
            format!("hurried, confirm a#{}", at + 2)
        );
    }
    let hurried = |events: &[seata_core::Event]| {
        let is_hurry = |event: &&seata_core::Event| matches!(event.fact, Fact::Hurried { .. });
        events.iter().filter(is_hurry).count()
    };
    assert_eq!(hurried(&driven.events), 10);
    let short = compact(&driven.events);
    assert_eq!(hurried(&short), 1, "the last one is not followed yet");
    let mut folded = fold(&short);
    let (a, attempt) = (index(&folded, "a"), driven.flights.values().next().unwrap());
    folded.call_begun(a, Operation::Confirm, *attempt);
    assert_eq!(folded.branches(), driven.txn.branches());
}
