//! The statement of a batch: its text, and one array per column of what is asked. Nothing here sends it.

use seata_store::code::{mode_code, status_code};
use seata_store::{Append, Chunk, Expected, LeaseChange};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

use crate::layout::{lease_ms, now, open, owner_bytes, signed};

type Statement = Query<'static, Postgres, PgArguments>;

/// What is asked, one row per append. `revision` is NULL where a record is created.
macro_rules! asked {
    () => {
        "WITH asked AS MATERIALIZED ( \
           SELECT * FROM unnest($1::text[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], \
             $7::smallint[], $8::bytea[], $9::bigint[], $10::boolean[], $11::bytea[], $12::bigint[]) \
           AS a (gid, mode, status, revision, token, wake_at, lease, owner, lasts, swap, chunk, at_ms))"
    };
}

/// Moves records on. The rows are locked first, in the order of their gids, so that two batches never wait for each other
/// in a circle, and are judged as they are under the lock, not as they were when the statement began.
macro_rules! moved {
    ($lock:literal) => {
        concat!(
            "locked AS MATERIALIZED ( \
               SELECT t.gid, t.revision, t.token, t.owner, t.lease_until, t.status, octet_length(t.events) AS size \
               FROM global_transaction t WHERE t.gid = ANY ($13::text[]) ORDER BY t.gid ", $lock, "), \
             moved AS ( \
               UPDATE global_transaction t SET \
                 status = a.status, revision = t.revision + 1, wake_at = a.wake_at, \
                 token = CASE a.lease WHEN 1 THEN t.token + 1 ELSE t.token END, \
                 owner = CASE a.lease WHEN 1 THEN a.owner ELSE t.owner END, \
                 lease_until = CASE a.lease WHEN 0 THEN t.lease_until WHEN 1 THEN ", now!(), " + a.lasts END, \
                 updated_at = greatest(t.updated_at, a.at_ms), \
                 events = CASE WHEN a.swap THEN a.chunk WHEN octet_length(a.chunk) = 0 THEN t.events ELSE t.events || a.chunk END \
               FROM locked JOIN asked a ON a.gid = locked.gid \
               WHERE t.gid = locked.gid \
                 AND locked.token = a.token AND locked.revision = a.revision AND ", open!("locked"), " \
                 AND (a.lease <> 1 OR locked.lease_until IS NULL OR locked.lease_until <= ", now!(), " OR locked.owner = a.owner) \
                 AND CASE WHEN a.swap THEN 0 ELSE locked.size END + octet_length(a.chunk) <= $14 \
               RETURNING t.gid, t.revision)"
        )
    };
}

/// Creates records, in the order of their gids as well: who creates the same one waits for the other's end.
macro_rules! created {
    () => {
        concat!(
            "created AS ( \
               INSERT INTO global_transaction (gid, mode, status, revision, token, owner, lease_until, wake_at, created_at, updated_at, events) \
               SELECT a.gid, a.mode, a.status, 1, CASE a.lease WHEN 1 THEN 1 ELSE 0 END, a.owner, \
                 CASE a.lease WHEN 1 THEN ", now!(), " + a.lasts END, a.wake_at, a.at_ms, a.at_ms, a.chunk \
               FROM asked a WHERE a.revision IS NULL ORDER BY a.gid COLLATE \"C\" \
               ON CONFLICT (gid) DO NOTHING RETURNING gid, revision)"
        )
    };
}

pub(crate) const MOVE: &str = concat!(
    asked!(),
    ", ",
    moved!("FOR UPDATE"),
    " SELECT gid, revision FROM moved"
);

/// As [`MOVE`], without what somebody else has locked: it waits for no row.
pub(crate) const MOVE_PAST_LOCKS: &str = concat!(
    asked!(),
    ", ",
    moved!("FOR UPDATE SKIP LOCKED"),
    " SELECT gid, revision FROM moved"
);

pub(crate) const CREATE: &str = concat!(
    asked!(),
    ", ",
    created!(),
    " SELECT gid, revision FROM created"
);

pub(crate) const MOVE_AND_CREATE: &str = concat!(
    asked!(),
    ", ",
    moved!("FOR UPDATE"),
    ", ",
    created!(),
    " SELECT gid, revision FROM moved UNION ALL SELECT gid, revision FROM created"
);

/// What becomes of an append whose row somebody else keeps locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// All wait for it.
    Awaited,
    /// It is left out. What is sent creates all or moves all.
    LeftOut,
}

/// Four texts, so that each connection prepares four plans and no more.
pub(crate) fn statement(sent: &[&Append], record_bytes_max: usize, locked: Locked) -> Statement {
    let moves: Vec<&str> = sent
        .iter()
        .filter(|append| !is_creation(append))
        .map(|append| append.gid.as_str())
        .collect();
    if moves.is_empty() {
        return columns_of(sqlx::query(CREATE), sent);
    }
    let text = match (moves.len() == sent.len(), locked) {
        (true, Locked::Awaited) => MOVE,
        (true, Locked::LeftOut) => MOVE_PAST_LOCKS,
        (false, Locked::Awaited | Locked::LeftOut) => MOVE_AND_CREATE,
    };
    columns_of(sqlx::query(text), sent)
        .bind(moves)
        .bind(i64::try_from(record_bytes_max).unwrap_or(i64::MAX))
}

/// Binds one array per column of `asked`.
fn columns_of(query: Statement, sent: &[&Append]) -> Statement {
    fn column<T>(sent: &[&Append], of: impl Fn(&Append) -> T) -> Vec<T> {
        sent.iter().map(|append| of(append)).collect()
    }
    let gids: Vec<&str> = sent.iter().map(|append| append.gid.as_str()).collect();
    let chunks: Vec<&[u8]> = sent.iter().map(|one| one.chunk.bytes().as_ref()).collect();
    query
        .bind(gids)
        .bind(column(sent, |one| i16::from(mode_code(one.mode))))
        .bind(column(sent, |one| i16::from(status_code(one.status))))
        .bind(column(sent, |one| {
            expected(one).map(|(revision, _)| revision)
        }))
        .bind(column(sent, |one| expected(one).map(|(_, token)| token)))
        .bind(column(sent, |one| one.wake_at.map(|at| at.0)))
        .bind(column(sent, |one| lease(one).0))
        .bind(column(sent, |one| lease(one).1.map(|owner| owner.to_vec())))
        .bind(column(sent, |one| lease(one).2))
        .bind(column(sent, |one| match one.chunk {
            Chunk::Add(_) => false,
            Chunk::Replace(_) => true,
        }))
        .bind(chunks)
        .bind(column(sent, |one| one.at.0))
}

fn expected(append: &Append) -> Option<(i64, i64)> {
    match append.expected {
        Expected::Absent => None,
        Expected::At { revision, token } => Some((signed(revision.0), signed(token.0))),
    }
}

/// Answers the change as the statement reads it, the new owner, and for how long.
fn lease(append: &Append) -> (i16, Option<[u8; 16]>, Option<i64>) {
    match append.lease {
        LeaseChange::Keep => (0, None, None),
        LeaseChange::Take { owner, lasts } => (1, Some(owner_bytes(owner)), Some(lease_ms(lasts))),
        LeaseChange::Release => (2, None, None),
    }
}

pub(crate) fn is_creation(append: &Append) -> bool {
    match append.expected {
        Expected::Absent => true,
        Expected::At { .. } => false,
    }
}
