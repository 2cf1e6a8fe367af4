//! What a newer server wrote: unknown fields are skipped, unknown meanings are refused, so that nothing is lost when
//! this server would rewrite the record.

use bytes::Bytes;
use seata_core::{Event, Fact, UnixMillis};
use seata_store::record::{ReadError, SCHEMA_VERSION, decode, encode};

use crate::samples;
use crate::wire::{chunk, far_field, field, number};

const SUBMITTED: u8 = 5;
const ANSWERED: u8 = 7;
const TURNED_ROUND: u8 = 9;
const FORCED: u8 = 15;

fn submitted() -> Vec<Event> {
    vec![Event {
        number: 5,
        at: UnixMillis(6),
        fact: Fact::Submitted,
    }]
}

fn unknown_meaning(event: &[u8]) {
    assert_eq!(
        decode(&[chunk(1, event)]),
        Err(ReadError::Newer { version: 0 }),
        "{event:?}"
    );
}

#[test]
fn fields_that_this_server_does_not_know_are_skipped() {
    let known = field(SUBMITTED, &[]);
    assert_eq!(decode(&[chunk(1, &known)]), Ok(submitted()));
    let within_fact = field(SUBMITTED, &number(9, 1));
    assert_eq!(decode(&[chunk(1, &within_fact)]), Ok(submitted()));
    let after_version = [number(15, 1), chunk(1, &known).to_vec()].concat();
    assert_eq!(decode(&[Bytes::from(after_version)]), Ok(submitted()));
}

#[test]
fn a_newer_schema_version_is_refused_by_number_wherever_it_stands() {
    let newer = u8::try_from(SCHEMA_VERSION + 1).unwrap();
    let new = chunk(newer, &field(SUBMITTED, &[]));
    let old = encode(&samples::events());
    let refused = Err(ReadError::Newer {
        version: SCHEMA_VERSION + 1,
    });
    assert_eq!(decode(std::slice::from_ref(&new)), refused);
    assert_eq!(decode(&[old.clone(), new.clone()]), refused);
    let joined = Bytes::from([new.as_ref(), old.as_ref()].concat());
    assert_eq!(decode(&[joined]), refused);
}

#[test]
fn a_fact_that_this_server_does_not_know_is_refused_and_not_skipped() {
    unknown_meaning(&[]);
    unknown_meaning(&far_field(21, &[]));
}

#[test]
fn a_word_that_this_server_does_not_know_is_refused_and_not_guessed() {
    let outcome = field(5, &[]);
    let action = number(2, 1);
    unknown_meaning(&field(ANSWERED, &outcome));
    unknown_meaning(&field(ANSWERED, &action));
    unknown_meaning(&field(ANSWERED, &[number(2, 9), outcome].concat()));
    unknown_meaning(&field(FORCED, &number(1, 3)));
    unknown_meaning(&field(TURNED_ROUND, &[]));
    let created_in_mode_9 = number(1, 9);
    unknown_meaning(&field(3, &created_in_mode_9));
}

#[test]
fn the_refusal_says_what_to_do() {
    let known = ReadError::Newer { version: 7 }.to_string();
    assert!(known.contains("schema version 7"), "{known}");
    assert!(known.contains("update this server"), "{known}");
    let unknown = ReadError::Newer { version: 0 }.to_string();
    assert!(!unknown.contains("version 0"), "{unknown}");
    assert!(unknown.contains("update this server"), "{unknown}");
}
