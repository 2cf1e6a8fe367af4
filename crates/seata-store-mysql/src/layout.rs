//! Rows as headers and records. A row that says what this server doesn't know is damage, not a default.

use bytes::Bytes;
use seata_store::{
    FencingToken, Gid, Header, Owner, Revision, StoreError, Stored, UnixMillis, code,
};
use sqlx::mysql::{MySql, MySqlRow};
use sqlx::{Decode, Row, Type};

use crate::error::corrupt;

/// The number of columns of a header: what a statement selects besides stands behind them.
pub(crate) const HEADER_COLUMNS: usize = 10;

/// A header, and how long the history behind it is, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) events_bytes: u64,
}

pub(crate) fn column<'row, T>(row: &'row MySqlRow, at: usize) -> Result<T, StoreError>
where
    T: Decode<'row, MySql> + Type<MySql>,
{
    row.try_get(at)
        .map_err(|error| corrupt("reading a row", error))
}

pub(crate) fn gid(row: &MySqlRow, at: usize) -> Result<Gid, StoreError> {
    let text: &str = column(row, at)?;
    Gid::parse(text).map_err(|error| corrupt("reading a gid", error))
}

/// Reads the columns of `text::HEADER`, which come first.
pub(crate) fn header(row: &MySqlRow) -> Result<Header, StoreError> {
    let gid = gid(row, 0)?;
    let (mode, status): (u8, u8) = (column(row, 1)?, column(row, 2)?);
    let unknown = |what, code| {
        let why = format!("{gid} has {what} {code}, which this server doesn't know");
        corrupt("reading a header", why)
    };
    Ok(Header {
        mode: code::mode_of(mode).ok_or_else(|| unknown("mode", mode))?,
        status: code::status_of(status).ok_or_else(|| unknown("status", status))?,
        revision: Revision(column(row, 3)?),
        token: FencingToken(column(row, 4)?),
        owner: owner(row, 5)?,
        lease_until: column::<Option<i64>>(row, 6)?.map(UnixMillis),
        wake_at: column::<Option<i64>>(row, 7)?.map(UnixMillis),
        created_at: UnixMillis(column(row, 8)?),
        updated_at: UnixMillis(column(row, 9)?),
        gid,
    })
}

fn owner(row: &MySqlRow, at: usize) -> Result<Option<Owner>, StoreError> {
    let Some(bytes) = column::<Option<&[u8]>>(row, at)? else {
        return Ok(None);
    };
    let bytes = <[u8; 16]>::try_from(bytes)
        .map_err(|_| corrupt("reading a header", "an owner hasn't 16 bytes"))?;
    Ok(Some(Owner(u128::from_be_bytes(bytes))))
}

/// Reads a header with the length of its history behind it.
pub(crate) fn record(row: &MySqlRow) -> Result<Record, StoreError> {
    Ok(Record {
        header: header(row)?,
        events_bytes: column(row, HEADER_COLUMNS)?,
    })
}

/// Reads a history; one that is empty has no chunk.
pub(crate) fn chunks(row: &MySqlRow, at: usize) -> Result<Vec<Bytes>, StoreError> {
    let events: Vec<u8> = column(row, at)?;
    Ok(if events.is_empty() {
        Vec::new()
    } else {
        vec![Bytes::from(events)]
    })
}

/// Reads a header with its history behind it.
pub(crate) fn stored(row: &MySqlRow) -> Result<Stored, StoreError> {
    Ok(Stored {
        header: header(row)?,
        chunks: chunks(row, HEADER_COLUMNS)?,
    })
}
