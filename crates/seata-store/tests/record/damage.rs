//! Bytes that are no record: an error that says what and where, never a panic, never something else than was written.

use bytes::Bytes;
use proptest::prelude::*;
use seata_core::{Fact, Gid, Mode, Status, UnixMillis};
use seata_store::record::{ReadError, decode, encode, transaction};
use seata_store::{FencingToken, Header, Revision, Stored};

use crate::strategies;
use crate::wire::{chunk, field, number};
use crate::{entry, samples};

fn damage(event: &[u8]) -> String {
    match decode(&[chunk(1, event)]) {
        Err(ReadError::Damaged { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn damage_is_told_with_the_event_in_which_it_is() {
    const BRANCH_ADDED: u8 = 4;
    let id = field(1, b"b");
    let added = |rest: &[u8]| damage(&field(BRANCH_ADDED, &[&id[..], rest].concat()));
    let no_endpoint = added(&[]);
    assert!(
        no_endpoint.starts_with("event 5: the endpoint"),
        "{no_endpoint}"
    );
    let fingerprint = added(&[field(2, b"http://a/"), field(8, &[1; 31])].concat());
    assert_eq!(
        fingerprint,
        "event 5: a fingerprint has 31 bytes instead of 32"
    );
    let after = added(&[field(2, b"http://a/"), field(5, b"a/b")].concat());
    assert!(after.starts_with("event 5: branch_id holds '/'"), "{after}");
}

#[test]
fn what_is_no_protobuf_is_damage() {
    for bytes in [&b"\xff"[..], b"garbage", &[0x12, 0x7f, 1], &[0x0a]] {
        let read = decode(&[Bytes::copy_from_slice(bytes)]);
        assert!(matches!(read, Err(ReadError::Damaged { .. })), "{read:?}");
    }
}

#[test]
fn a_text_that_is_no_utf_8_is_damage() {
    const STUCK: u8 = 12;
    assert!(!damage(&field(STUCK, &field(1, b"\xff"))).is_empty());
    assert!(!damage(&[field(STUCK, &[]), number(1, 0x7f), vec![0xff]].concat()).is_empty());
}

#[test]
fn a_record_that_was_cut_reads_as_damage_or_as_its_beginning() {
    let events = samples::events();
    let whole = encode(&events);
    for len in 0..whole.len() {
        match decode(&[whole.slice(..len)]) {
            Ok(read) => assert_eq!(read, events[..read.len()], "cut at {len}"),
            Err(ReadError::Damaged { .. }) => {}
            Err(other) => panic!("cut at {len}: {other}"),
        }
    }
}

fn stored(chunks: Vec<Bytes>) -> Stored {
    let header = Header {
        gid: Gid::parse("g").unwrap(),
        mode: Mode::Saga,
        status: Status::Prepared,
        revision: Revision(1),
        token: FencingToken(0),
        owner: None,
        lease_until: None,
        wake_at: None,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
    };
    Stored { header, chunks }
}

#[test]
fn events_that_do_not_follow_each_other_are_told_apart_from_damage() {
    let events = samples::events();
    let created = encode(&events[..1]);
    let (read, history) = transaction(&stored(vec![created.clone()])).unwrap();
    assert_eq!((read.status(), history.len()), (Status::Prepared, 1));
    let twice = transaction(&stored(vec![created.clone(), created])).unwrap_err();
    assert!(matches!(twice, ReadError::Unfoldable(_)), "{twice}");
    let nothing = transaction(&stored(vec![])).unwrap_err();
    assert!(matches!(nothing, ReadError::Unfoldable(_)), "{nothing}");
    assert!(matches!(events[14].fact, Fact::Committed));
    let ended = encode(&[events[0].clone(), events[14].clone()]);
    assert_eq!(
        transaction(&stored(vec![ended])).unwrap_err().to_string(),
        "the record's events don't follow each other: event 15 (committed) cannot follow the state PREPARED"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        entry::read(&data);
    }

    #[test]
    fn no_damage_to_a_record_panics(
        events in strategies::histories(),
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut data = encode(&events).to_vec();
        let at = at.index(data.len());
        data[at] ^= with;
        entry::read(&data);
        data.truncate(cut.index(data.len()));
        entry::read(&data);
    }

    #[test]
    fn no_order_of_events_panics(events in strategies::histories()) {
        entry::fold(&events);
    }
}
