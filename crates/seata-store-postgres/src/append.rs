//! Appends: one statement per batch, each append judged by itself inside of it.
//!
//! A statement is its own transaction: it is sent whole and answered whole, so that no lock outlives a coordinator that
//! stops in between. What it did not apply is read by a second one and judged by the contract's own rule.

use std::collections::{HashMap, HashSet};

use seata_store::{
    Append, AppendOutcome, Chunk, Header, Refusal, Revision, StoreError, StoreErrorKind,
    StoreLimits, Stored, UnixMillis,
};
use sqlx::postgres::PgRow;

use crate::batch::{is_creation, statement};
use crate::connection::{Connection, Pool};
use crate::error::{Again, Effect, Failure};
use crate::layout::{HEADER_COLUMNS, columns, gid, header, now, number, stored, value};

/// How often a batch is sent while the server says that it rolled back because of somebody else.
const ATTEMPTS_MAX: usize = 3;

/// The answers, in the order of the batch.
pub(crate) type Answers = Vec<Result<AppendOutcome, StoreError>>;

const DOING: &str = "appending";

/// Of what was not applied: the headers and sizes as they are now, and the histories where a creation found a record.
pub(crate) const EXPLAIN: &str = concat!(
    "SELECT ",
    columns!(),
    ", CASE WHEN t.gid = ANY ($2::text[]) THEN t.events ELSE '' END, \
       octet_length(t.events), ",
    now!(),
    " \
     FROM global_transaction t WHERE t.gid = ANY ($1::text[])"
);

/// Which statements this server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mixed {
    /// One may update and insert into the same table.
    InOne,
    /// One statement changes a table once only (CockroachDB).
    Apart,
}

/// Applies a batch, in pieces that keep to the limits. A piece that fails fails its own appends only.
pub(crate) async fn append(
    pool: &Pool,
    mixed: Mixed,
    limits: StoreLimits,
    batch: Vec<Append>,
) -> Answers {
    let mut answers: Vec<Option<Result<AppendOutcome, StoreError>>> = vec![None; batch.len()];
    for piece in pieces(&batch, mixed, limits) {
        let asked: Vec<&Append> = piece.iter().map(|at| &batch[*at]).collect();
        for (at, answer) in piece
            .into_iter()
            .zip(append_piece(pool, limits, &asked).await)
        {
            answers[at] = Some(answer);
        }
    }
    let unanswered = || {
        let why = "the batch was answered in part only: this is a bug of the adapter";
        Err(StoreError::new(StoreErrorKind::Ambiguous, DOING, why))
    };
    let answers = answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(unanswered))
        .collect()
}

/// Cuts a batch by count and bytes, each piece in the order of gids and with each gid once. Answers places in the batch.
fn pieces(batch: &[Append], mixed: Mixed, limits: StoreLimits) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..batch.len()).collect();
    order.sort_by_key(|at| (is_apart(&batch[*at], mixed), &batch[*at].gid, *at));
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for at in order {
        let one = &batch[at];
        let size = one.chunk.bytes().len();
        match pieces.last_mut() {
            Some(piece)
                if piece.len() < limits.batch_count_max
                    && bytes + size <= limits.batch_bytes_max
                    && piece.last().is_some_and(|last| {
                        let last = &batch[*last];
                        last.gid != one.gid && is_apart(last, mixed) == is_apart(one, mixed)
                    }) =>
            {
                piece.push(at);
                bytes += size;
            }
            Some(_) | None => {
                pieces.push(vec![at]);
                bytes = size;
            }
        }
    }
    pieces
}

fn is_apart(append: &Append, mixed: Mixed) -> bool {
    match mixed {
        Mixed::InOne => false,
        Mixed::Apart => is_creation(append),
    }
}

/// The gids are in order and each comes once.
async fn append_piece(pool: &Pool, limits: StoreLimits, asked: &[&Append]) -> Answers {
    // What can't fit is not sent: the history would be too large whatever the record is.
    let fits = |append: &&&Append| append.chunk.bytes().len() <= limits.record_bytes_max;
    let sent: Vec<&Append> = asked.iter().filter(fits).copied().collect();
    let written = async {
        let mut connection = pool.take().await?;
        let applied = write(&mut connection, &sent, limits.record_bytes_max).await?;
        Ok((connection, applied))
    };
    let (mut connection, applied) = match written.await {
        Ok(written) => written,
        Err(failure) => return all(asked.len(), &failure),
    };
    let refused = asked
        .iter()
        .filter(|one| !applied.contains_key(one.gid.as_str()));
    let refused: Vec<&Append> = refused.copied().collect();
    let present = explain(&mut connection, &refused).await;
    let answer = |append: &&Append| match (applied.get(append.gid.as_str()), &present) {
        (Some(revision), _) => Ok(AppendOutcome::Applied(*revision)),
        (None, Ok(present)) => why_not(
            append,
            present.get(append.gid.as_str()),
            limits.record_bytes_max,
        ),
        // The reason is not known, but that it was not applied is.
        (None, Err(failure)) => {
            let why = format!(
                "not applied, and the reason could not be read: {}",
                failure.why
            );
            Err(StoreError::new(StoreErrorKind::Unavailable, DOING, why))
        }
    };
    asked.iter().map(answer).collect()
}

fn all(count: usize, failure: &Failure) -> Answers {
    vec![Err(failure.clone().named(DOING)); count]
}

/// Answers which were applied. Only where the server itself rolled back for the sake of others is it sent again.
async fn write(
    connection: &mut Connection,
    sent: &[&Append],
    record_bytes_max: usize,
) -> Result<HashMap<String, Revision>, Failure> {
    if sent.is_empty() {
        return Ok(HashMap::new());
    }
    let mut attempt = 1;
    let rows = loop {
        let statement = statement(sent, record_bytes_max);
        match connection.fetch(statement, Effect::Writes).await {
            Ok(rows) => break rows,
            Err(failure) if failure.again == Again::Yes && attempt < ATTEMPTS_MAX => attempt += 1,
            Err(failure) => return Err(failure),
        }
    };
    rows.iter().map(applied).collect()
}

fn applied(row: &PgRow) -> Result<(String, Revision), Failure> {
    let revision = u64::try_from(number(row, 1)?).unwrap_or_default();
    Ok((value::<String>(row, 0)?, Revision(revision)))
}

/// A record that stood in the way of an append.
struct Present {
    header: Header,
    /// The history, where the append was a creation.
    stored: Option<Stored>,
    bytes: usize,
    /// The server's time when it was read.
    now: UnixMillis,
}

async fn explain(
    connection: &mut Connection,
    refused: &[&Append],
) -> Result<HashMap<String, Present>, Failure> {
    if refused.is_empty() {
        return Ok(HashMap::new());
    }
    let gids: Vec<&str> = refused.iter().map(|append| append.gid.as_str()).collect();
    let creations: HashSet<&str> = refused
        .iter()
        .filter(|append| is_creation(append))
        .map(|append| append.gid.as_str())
        .collect();
    let query = sqlx::query(EXPLAIN)
        .bind(gids)
        .bind(creations.iter().copied().collect::<Vec<_>>());
    let rows = connection.fetch(query, Effect::Reads).await?;
    let present = |row: &PgRow| {
        let gid = gid(row, 0)?;
        let stored = match creations.contains(gid.as_str()) {
            true => Some(stored(row)?),
            false => None,
        };
        let bytes: i32 = value(row, HEADER_COLUMNS + 1)?;
        let present = Present {
            header: header(row)?,
            stored,
            bytes: usize::try_from(bytes).unwrap_or_default(),
            now: UnixMillis(number(row, HEADER_COLUMNS + 2)?),
        };
        Ok((gid.to_string(), present))
    };
    rows.iter().map(present).collect()
}

/// Says why an append was not applied, by the record as it is now. What would be accepted by now is stale: the record
/// moved between the two statements.
fn why_not(
    append: &Append,
    present: Option<&Present>,
    record_bytes_max: usize,
) -> Result<AppendOutcome, StoreError> {
    let invalid = |why: String| Err(StoreError::new(StoreErrorKind::Invalid, DOING, why));
    let now = present.map_or(UnixMillis(0), |present| present.now);
    match append.judge(present.map(|present| &present.header), now) {
        Err(Refusal::Stale) => return Ok(AppendOutcome::Stale),
        Err(Refusal::Fenced) => return Ok(AppendOutcome::Fenced),
        Err(Refusal::Exists) => {
            let stored = present.and_then(|present| present.stored.clone());
            return Ok(stored.map_or(AppendOutcome::Stale, |stored| {
                AppendOutcome::Exists(Box::new(stored))
            }));
        }
        Ok(_) => {}
    }
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
    Ok(AppendOutcome::Stale)
}
