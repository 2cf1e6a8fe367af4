//! What the rule of the contract says of an append to a record as it was read. The statements write by the same rule.

use std::collections::BTreeMap;

use seata_store::{Append, AppendOutcome, Chunk, Gid, Header, Refusal, StoreError, UnixMillis};

use crate::append::DOING;
use crate::connection::Answer;
use crate::error::invalid;
use crate::layout::{self, HEADER_COLUMNS, Record};
use crate::ledger::Answered;
use crate::open::Bounds;

/// Records by their gids, each with the store's time. One that can't be read spoils no other.
pub(crate) type Records = BTreeMap<Gid, Result<(Record, UnixMillis), StoreError>>;

/// Reads headers, each with the length of its history and the store's time behind it.
pub(crate) fn records(answer: &Answer) -> Result<Records, StoreError> {
    let read = |row| -> Result<_, StoreError> {
        let now = UnixMillis(layout::column(row, HEADER_COLUMNS + 1)?);
        Ok((layout::record(row)?, now))
    };
    answer
        .rows
        .iter()
        .map(|row| Ok((layout::gid(row, 0)?, read(row))))
        .collect()
}

/// What the rule of the contract says of an append to a record.
pub(crate) enum Verdict {
    /// With this header after it.
    Applies(Box<Header>),
    Answered(Answered),
}

pub(crate) fn verdict(append: &Append, records: &Records, bounds: &Bounds) -> Verdict {
    let (record, now) = match records.get(&append.gid) {
        Some(Ok((record, now))) => (Some(record), *now),
        // Where there is no record, the rule asks for no time.
        None => (None, UnixMillis(0)),
        Some(Err(error)) => return Verdict::Answered(Err(error.clone())),
    };
    let header = match append.judge(record.map(|record| &record.header), now) {
        Ok(header) => header,
        Err(Refusal::Fenced) => return Verdict::Answered(Ok(AppendOutcome::Fenced)),
        Err(Refusal::Stale | Refusal::Exists) => {
            return Verdict::Answered(Ok(AppendOutcome::Stale));
        }
    };
    if record.is_some_and(|record| record.header.status.is_final()) {
        let why = "the transaction has ended: it never moves again";
        return Verdict::Answered(Err(invalid(DOING, why)));
    }
    let kept = match append.chunk {
        Chunk::Add(_) => record.map_or(0, |record| record.events_bytes),
        Chunk::Replace(_) => 0,
    };
    let bytes = kept + append.chunk.bytes().len() as u64;
    if bytes > bounds.limits.record_bytes_max as u64 {
        return Verdict::Answered(Err(too_large(bounds)));
    }
    Verdict::Applies(Box::new(header))
}

pub(crate) fn too_large(bounds: &Bounds) -> StoreError {
    let max = bounds.limits.record_bytes_max;
    let why = format!(
        "the history would have more than {max} bytes; a larger max_allowed_packet of the server allows more"
    );
    invalid(DOING, why)
}
