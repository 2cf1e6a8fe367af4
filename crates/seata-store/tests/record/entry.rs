//! What is tried with any stored bytes. The fuzz target `record` runs the same.

use bytes::Bytes;
use seata_core::{Event, FencingToken, Gid, Input, Transaction, UnixMillis, compact};
use seata_store::record;

/// Reads bytes as a record. What can be read can be written again, folded, looked at, compacted and driven on.
pub(crate) fn read(data: &[u8]) {
    let Ok(events) = record::decode(&[Bytes::copy_from_slice(data)]) else {
        return;
    };
    let again = record::decode(&[record::encode(&events)]);
    assert_eq!(again.as_ref(), Ok(&events), "what was read can be written");
    fold(&events);
}

/// Folds events that may not belong together, and goes on with what they make.
pub(crate) fn fold(events: &[Event]) {
    let gid = Gid::parse("g").expect("a gid");
    let Ok(mut transaction) = Transaction::fold(&gid, events) else {
        return;
    };
    let short = Transaction::fold(&gid, &compact(events)).expect("a compacted history folds");
    assert_eq!(short.status(), transaction.status());
    assert_eq!(short.branches(), transaction.branches());
    for input in [
        Input::Recover {
            token: FencingToken(9),
        },
        Input::Wake,
    ] {
        look(&transaction);
        let now = transaction.updated_at();
        let _ = transaction.advance(input, FencingToken(9), now);
    }
    look(&transaction);
}

fn look(transaction: &Transaction) {
    let _ = (transaction.branches(), transaction.waiting_for());
    let _ = (transaction.attention(), transaction.deadline());
    let _ = transaction.alarm(UnixMillis(0));
}
