//! The stored record: events as protobuf messages (`proto/seata/store/v1/record.proto`).
//!
//! A chunk is one message `Record`; messages of repeated fields concatenate, so chunks may be joined by a store.
//! A meaning that older servers would misread raises [`SCHEMA_VERSION`]; a server that meets a newer version or an
//! unknown fact refuses to drive the record, because it would lose on rewrite what it can't read.

mod decode;
mod encode;
mod wire;

use bytes::Bytes;
use prost::Message;
use seata_core::{Event, IllegalEvent, Transaction};

use crate::generated as proto;
use crate::header::Stored;
use wire::Writer;

/// The version that this server writes.
pub const SCHEMA_VERSION: u32 = 1;

/// What most chunks have room in.
const CHUNK_USUAL_BYTES: usize = 512;

/// Why a record can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A newer server wrote it.
    #[error("{}: update this server", newer(*.version))]
    Newer {
        /// The version, or 0 for a fact that this server doesn't know.
        version: u32,
    },
    /// The bytes are no record.
    #[error("the record is damaged: {why}")]
    Damaged {
        /// What is wrong, and where.
        why: String,
    },
    /// The events don't make a transaction.
    #[error("the record's events don't follow each other: {0}")]
    Unfoldable(#[from] IllegalEvent),
}

fn newer(version: u32) -> String {
    match version {
        0 => "the record holds what only a newer server knows".to_owned(),
        1.. => format!(
            "the record has schema version {version}, newer than this server's {SCHEMA_VERSION}"
        ),
    }
}

impl ReadError {
    fn damaged(why: impl ToString) -> Self {
        Self::Damaged {
            why: why.to_string(),
        }
    }
}

/// Writes events as one chunk.
#[must_use]
pub fn encode(events: &[Event]) -> Bytes {
    let mut record = Writer::with(Vec::with_capacity(CHUNK_USUAL_BYTES));
    record.numbers(1, std::iter::once(SCHEMA_VERSION));
    for event in events {
        record.message(2, |w| encode::event(w, event));
    }
    Bytes::from(record.into_bytes())
}

/// Reads chunks, joined or not, oldest first.
///
/// # Errors
/// A newer server wrote them, or they are damaged.
pub fn decode(chunks: &[Bytes]) -> Result<Vec<Event>, ReadError> {
    let mut events = Vec::new();
    for chunk in chunks {
        let record = proto::Record::decode(chunk.clone()).map_err(ReadError::damaged)?;
        if let Some(version) = record
            .schema_versions
            .into_iter()
            .find(|version| *version > SCHEMA_VERSION)
        {
            return Err(ReadError::Newer { version });
        }
        for event in record.events {
            events.push(decode::event(event)?);
        }
    }
    Ok(events)
}

/// Reads a stored record and folds its events.
///
/// # Errors
/// It can't be read, or its events don't make a transaction.
pub fn transaction(stored: &Stored) -> Result<(Transaction, Vec<Event>), ReadError> {
    let events = decode(&stored.chunks)?;
    let transaction = Transaction::fold(&stored.header.gid, &events)?;
    Ok((transaction, events))
}
