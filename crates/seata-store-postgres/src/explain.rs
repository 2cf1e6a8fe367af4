//! Why appends were not applied: one read, judged by the contract's own rule. It changes nothing.

use std::collections::HashMap;

use seata_store::{
    Append, AppendOutcome, Chunk, Header, Refusal, StoreError, StoreErrorKind, Stored, UnixMillis,
};
use sqlx::postgres::PgRow;

use crate::append::DOING;
use crate::batch::{Locked, is_creation};
use crate::connection::Connection;
use crate::error::{Effect, Failure};
use crate::layout::{HEADER_COLUMNS, columns, header, now, number, stored, value};

/// Of what was not applied: the headers and sizes as they are now, and the histories where a creation found a record, as
/// many as fit into a batch.
pub(crate) const EXPLAIN: &str = concat!(
    "SELECT ",
    columns!(),
    ", \
       CASE WHEN t.wanted AND sum(CASE WHEN t.wanted THEN t.size ELSE 0 END) OVER (ORDER BY t.gid) - t.size < $3 \
         THEN t.events END, \
       t.size, ",
    now!(),
    " \
     FROM (SELECT g.*, octet_length(g.events) AS size, g.gid = ANY ($2::text[]) AS wanted \
       FROM global_transaction g WHERE g.gid = ANY ($1::text[])) AS t"
);

/// A record that stood in the way of an append.
pub(crate) struct Present {
    header: Header,
    /// The history, where the append was a creation and it fitted.
    stored: Option<Stored>,
    bytes: usize,
    /// The server's time when it was read.
    now: UnixMillis,
}

/// By gid. A record that can't be read fails its own append only.
pub(crate) type AllPresent = HashMap<String, Result<Present, Failure>>;

pub(crate) async fn explain(
    connection: &mut Connection,
    refused: &[&Append],
    bytes_max: usize,
) -> Result<AllPresent, Failure> {
    if refused.is_empty() {
        return Ok(HashMap::new());
    }
    let names = |of: &dyn Fn(&Append) -> bool| -> Vec<&str> {
        let some = refused.iter().filter(|append| of(append));
        some.map(|append| append.gid.as_str()).collect()
    };
    let query = sqlx::query(EXPLAIN)
        .bind(names(&|_| true))
        .bind(names(&is_creation))
        .bind(i64::try_from(bytes_max).unwrap_or(i64::MAX));
    let rows = connection.fetch(query, Effect::Reads).await?;
    let named = |row: &PgRow| Ok((value::<String>(row, 0)?, present(row)));
    rows.iter().map(named).collect()
}

fn present(row: &PgRow) -> Result<Present, Failure> {
    let history: Option<&[u8]> = value(row, HEADER_COLUMNS)?;
    let bytes: i32 = value(row, HEADER_COLUMNS + 1)?;
    Ok(Present {
        header: header(row)?,
        stored: history.map(|_| stored(row)).transpose()?,
        bytes: usize::try_from(bytes).unwrap_or_default(),
        now: UnixMillis(number(row, HEADER_COLUMNS + 2)?),
    })
}

/// Says why an append was not applied, by the record as it is now. None: nothing stands in the way of a creation any
/// more. What else would be accepted by now is locked where locked rows were left out, else stale: the record moved between
/// the two statements.
pub(crate) fn why_not(
    append: &Append,
    present: &Result<AllPresent, Failure>,
    record_bytes_max: usize,
    locked: Locked,
) -> Option<Result<AppendOutcome, StoreError>> {
    let present = match present.as_ref().map(|all| all.get(append.gid.as_str())) {
        Ok(None) => None,
        Ok(Some(Ok(present))) => Some(present),
        Ok(Some(Err(damaged))) => return Some(Err(damaged.clone().named(DOING))),
        // The reason is not known, but that it was not applied is.
        Err(failure) => return Some(Err(unexplained(&failure.why))),
    };
    let now = present.map_or(UnixMillis(0), |present| present.now);
    match append.judge(present.map(|present| &present.header), now) {
        Err(Refusal::Stale) => Some(Ok(AppendOutcome::Stale)),
        Err(Refusal::Fenced) => Some(Ok(AppendOutcome::Fenced)),
        Err(Refusal::Exists) => Some(exists(present)),
        Ok(_) => beyond_the_rule(append, present, record_bytes_max, locked),
    }
}

fn exists(present: Option<&Present>) -> Result<AppendOutcome, StoreError> {
    let stored = present.and_then(|present| present.stored.clone());
    let too_large = || unexplained("the records that exist are too large for one answer");
    stored
        .map(|stored| AppendOutcome::Exists(Box::new(stored)))
        .ok_or_else(too_large)
}

/// What the rule would let pass.
fn beyond_the_rule(
    append: &Append,
    present: Option<&Present>,
    record_bytes_max: usize,
    locked: Locked,
) -> Option<Result<AppendOutcome, StoreError>> {
    let invalid = |why: String| Some(Err(StoreError::new(StoreErrorKind::Invalid, DOING, why)));
    if present.is_some_and(|present| present.header.status.is_final()) {
        return invalid("the transaction has ended: it never moves again".to_owned());
    }
    let kept = match append.chunk {
        Chunk::Add(_) => present.map_or(0, |present| present.bytes),
        Chunk::Replace(_) => 0,
    };
    if kept + append.chunk.bytes().len() > record_bytes_max {
        return invalid(format!(
            "the history would have more than {record_bytes_max} bytes"
        ));
    }
    present.map(|_| match locked {
        Locked::Awaited => Ok(AppendOutcome::Stale),
        Locked::LeftOut => Err(StoreError::new(
            StoreErrorKind::Unavailable,
            DOING,
            "somebody keeps the row locked: look for open transactions in pg_stat_activity",
        )),
    })
}

pub(crate) fn unexplained(why: &str) -> StoreError {
    let why = format!("not applied, and the reason could not be read: {why}");
    StoreError::new(StoreErrorKind::Unavailable, DOING, why)
}
