//! What was written is read.

use bytes::Bytes;
use proptest::prelude::*;
use seata_store::record::{decode, encode};

use crate::{samples, strategies};

#[test]
fn every_fact_reads_back() {
    let events = samples::events();
    assert_eq!(decode(&[encode(&events)]), Ok(events));
}

#[test]
fn nothing_reads_back_as_nothing() {
    assert_eq!(decode(&[]), Ok(vec![]));
    assert_eq!(decode(&[Bytes::new(), encode(&[])]), Ok(vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_events_read_back_however_they_were_chunked(
        events in strategies::histories(),
        at in any::<prop::sample::Index>(),
    ) {
        let (first, second) = events.split_at(at.index(events.len()));
        let chunks = [encode(first), encode(second)];
        let joined = Bytes::from(chunks.concat());
        prop_assert_eq!(decode(&chunks), Ok(events.clone()));
        prop_assert_eq!(decode(&[joined]), Ok(events));
    }
}
