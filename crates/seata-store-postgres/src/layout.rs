//! Rows to headers and back, and the pieces that several statements share.

use bytes::Bytes;
use seata_store::code::{mode_of, status_of};
use seata_store::{FencingToken, Gid, Header, Owner, Revision, StoreErrorKind, Stored, UnixMillis};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::error::Failure;

/// The columns of a header, in the order in which [`header`] reads them.
macro_rules! columns {
    () => {
        "t.gid, t.mode, t.status, t.revision, t.token, t.owner, t.lease_until, t.wake_at, t.created_at, t.updated_at"
    };
}

/// The server's time in UTC milliseconds, when it is evaluated rather than when the transaction began. An epoch has no
/// time zone.
macro_rules! now {
    () => {
        "CAST(floor(extract(epoch FROM clock_timestamp()) * 1000) AS bigint)"
    };
}

/// What has not ended. The two partial indexes say the same: it must be the same words.
macro_rules! open {
    ($row:literal) => {
        concat!($row, ".status NOT IN (4, 5)")
    };
}

pub(crate) use {columns, now, open};

/// How many columns [`columns`] names: what a statement adds is read from here on.
pub(crate) const HEADER_COLUMNS: usize = 10;

/// The longest lease that is written: sums with the server's time stay within a bigint.
const LEASE_MS_MAX: i64 = 1 << 50;

pub(crate) fn lease_ms(lasts: std::time::Duration) -> i64 {
    i64::try_from(lasts.as_millis()).map_or(LEASE_MS_MAX, |ms| ms.min(LEASE_MS_MAX))
}

/// As a column holds it. What is larger than any column can be equals none.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) const fn owner_bytes(owner: Owner) -> [u8; 16] {
    owner.0.to_be_bytes()
}

/// Reads a header from the first columns of a row.
pub(crate) fn header(row: &PgRow) -> Result<Header, Failure> {
    let gid = gid(row, 0)?;
    let damaged = |what: &str| corrupt(gid.as_str(), what);
    Ok(Header {
        mode: small(row, 1)?
            .and_then(mode_of)
            .ok_or_else(|| damaged("mode"))?,
        status: small(row, 2)?
            .and_then(status_of)
            .ok_or_else(|| damaged("status"))?,
        revision: Revision(u64::try_from(number(row, 3)?).map_err(|_| damaged("revision"))?),
        token: FencingToken(u64::try_from(number(row, 4)?).map_err(|_| damaged("token"))?),
        owner: owner(row)?,
        lease_until: value::<Option<i64>>(row, 6)?.map(UnixMillis),
        wake_at: value::<Option<i64>>(row, 7)?.map(UnixMillis),
        created_at: UnixMillis(number(row, 8)?),
        updated_at: UnixMillis(number(row, 9)?),
        gid,
    })
}

/// Reads a header and the history behind it.
pub(crate) fn stored(row: &PgRow) -> Result<Stored, Failure> {
    let events: Vec<u8> = value(row, HEADER_COLUMNS)?;
    let chunks = match events.is_empty() {
        true => Vec::new(),
        false => vec![Bytes::from(events)],
    };
    Ok(Stored {
        header: header(row)?,
        chunks,
    })
}

pub(crate) fn gid(row: &PgRow, column: usize) -> Result<Gid, Failure> {
    let text: &str = value(row, column)?;
    Gid::parse(text).map_err(|error| corrupt(text, &error.to_string()))
}

pub(crate) fn number(row: &PgRow, column: usize) -> Result<i64, Failure> {
    value(row, column)
}

pub(crate) fn value<'r, T>(row: &'r PgRow, column: usize) -> Result<T, Failure>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(column)
        .map_err(|error| Failure::new(StoreErrorKind::Corrupt, error.to_string()))
}

fn small(row: &PgRow, column: usize) -> Result<Option<u8>, Failure> {
    Ok(u8::try_from(value::<i16>(row, column)?).ok())
}

fn owner(row: &PgRow) -> Result<Option<Owner>, Failure> {
    let Some(bytes) = value::<Option<&[u8]>>(row, 5)? else {
        return Ok(None);
    };
    let bytes = bytes
        .try_into()
        .map_err(|_| Failure::new(StoreErrorKind::Corrupt, "an owner that has not 16 bytes"))?;
    Ok(Some(Owner(u128::from_be_bytes(bytes))))
}

fn corrupt(gid: &str, what: &str) -> Failure {
    let why = format!(
        "the row of {gid} can't be read: {what}; it was written by a newer server, or damaged"
    );
    Failure::new(StoreErrorKind::Corrupt, why)
}
