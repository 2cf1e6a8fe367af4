//! Leases: claims of what is due, and renewals. Each is one statement, judged by the server's clock.

use std::collections::HashMap;
use std::time::Duration;

use seata_store::{ClaimLimit, FencingToken, Gid, Held, Owner, Revision, Stored};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use tracing::error;

use crate::connection::Pool;
use crate::error::{Again, Effect, Failure};
use crate::layout::{columns, gid, lease_ms, now, number, open, owner_bytes, signed, stored};

/// Takes the earliest wake-ups of both indexes, each in the order of its own, and locks them while it walks; what somebody
/// else holds locked is passed over. Of these the earliest are leased: the count, and as many bytes as fit; the rest comes
/// free when the statement ends.
///
/// The second branch sorts what it finds: leases that have passed are at most as many as the servers that died could hold.
pub(crate) const CLAIM: &str = concat!(
    "WITH clock AS MATERIALIZED (SELECT ",
    now!(),
    " AS ms), \
     free AS MATERIALIZED ( \
       SELECT t.gid, t.wake_at, octet_length(t.events) AS size FROM global_transaction t \
       WHERE t.lease_until IS NULL AND t.wake_at IS NOT NULL AND ",
    open!("t"),
    " \
         AND t.wake_at <= (SELECT ms FROM clock) \
       ORDER BY t.wake_at, t.gid LIMIT $3 FOR UPDATE SKIP LOCKED), \
     passed AS MATERIALIZED ( \
       SELECT t.gid, t.wake_at, octet_length(t.events) AS size FROM global_transaction t \
       WHERE t.lease_until IS NOT NULL AND t.wake_at IS NOT NULL AND ",
    open!("t"),
    " \
         AND t.lease_until <= (SELECT ms FROM clock) AND t.wake_at <= (SELECT ms FROM clock) \
       ORDER BY t.wake_at, t.gid LIMIT $3 FOR UPDATE SKIP LOCKED), \
     due AS ( \
       SELECT gid, row_number() OVER earliest AS place, sum(size) OVER earliest - size AS bytes_before \
       FROM (SELECT * FROM free UNION ALL SELECT * FROM passed) AS d \
       WINDOW earliest AS (ORDER BY wake_at, gid ROWS UNBOUNDED PRECEDING)) \
     UPDATE global_transaction t \
     SET token = t.token + 1, owner = $1, lease_until = (SELECT ms FROM clock) + $2 \
     FROM due WHERE t.gid = due.gid AND due.place <= $3 AND due.bytes_before < $4 \
     RETURNING ",
    columns!(),
    ", t.events"
);

/// Locks in the order of gids, so that it can't deadlock with appends; see `append`.
macro_rules! renewed {
    ($lock:literal) => {
        concat!(
            "WITH held AS MATERIALIZED ( \
               SELECT t.gid, t.token FROM global_transaction t \
               WHERE t.gid = ANY ($1::text[]) AND t.lease_until IS NOT NULL AND ",
            open!("t"),
            " \
               ORDER BY t.gid ",
            $lock,
            ") \
             UPDATE global_transaction t SET lease_until = ",
            now!(),
            " + $3 \
             FROM held JOIN unnest($1::text[], $2::bigint[]) AS a (gid, token) \
               ON a.gid = held.gid AND a.token = held.token \
             WHERE t.gid = held.gid \
             RETURNING t.gid, t.token, t.revision"
        )
    };
}

pub(crate) const RENEW: &str = renewed!("FOR UPDATE");

/// As [`RENEW`], without what somebody else has locked.
pub(crate) const RENEW_PAST_LOCKS: &str = renewed!("FOR UPDATE SKIP LOCKED");

pub(crate) async fn claim_due(
    pool: &Pool,
    owner: Owner,
    lasts: Duration,
    limit: ClaimLimit,
) -> Result<Vec<Stored>, Failure> {
    let query = sqlx::query(CLAIM)
        .bind(owner_bytes(owner))
        .bind(lease_ms(lasts))
        .bind(i64::try_from(limit.count).unwrap_or(i64::MAX))
        .bind(i64::try_from(limit.bytes).unwrap_or(i64::MAX));
    let rows = pool.take().await?.fetch(query, Effect::Writes).await?;
    let mut claimed: Vec<Stored> = rows.iter().filter_map(readable).collect();
    claimed.sort_unstable_by(|a, b| {
        (a.header.wake_at, &a.header.gid).cmp(&(b.header.wake_at, &b.header.gid))
    });
    Ok(claimed)
}

/// One row that can't be read holds up no other. It stays leased for a while, and is passed over again after that.
fn readable(row: &PgRow) -> Option<Stored> {
    match stored(row) {
        Ok(stored) => Some(stored),
        Err(failure) => {
            error!(why = %failure.why, "a transaction that is due can't be driven");
            None
        }
    }
}

pub(crate) async fn renew(
    pool: &Pool,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Result<Vec<Held>, Failure> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = pool.take().await?;
    match connection
        .fetch(renewal(RENEW, held, lasts), Effect::Writes)
        .await
    {
        Ok(rows) => answers(held, &rows, Held::Lost),
        // Somebody who keeps a row locked ends that lease at most, not all of them. What is left out and what is lost can't
        // be told apart then.
        Err(failure) if failure.again == Again::PastLocks => {
            let renewal = renewal(RENEW_PAST_LOCKS, held, lasts);
            let rows = connection.fetch(renewal, Effect::Writes).await?;
            answers(held, &rows, Held::Unknown)
        }
        Err(failure) => Err(failure),
    }
}

fn renewal(
    text: &'static str,
    held: &[(Gid, FencingToken)],
    lasts: Duration,
) -> Query<'static, Postgres, PgArguments> {
    let gids: Vec<&str> = held.iter().map(|(gid, _)| gid.as_str()).collect();
    let tokens: Vec<i64> = held.iter().map(|(_, token)| signed(token.0)).collect();
    sqlx::query(text)
        .bind(gids)
        .bind(tokens)
        .bind(lease_ms(lasts))
}

/// Answers each in the order given; what is not among the rows as `otherwise`.
fn answers(
    held: &[(Gid, FencingToken)],
    rows: &[PgRow],
    otherwise: Held,
) -> Result<Vec<Held>, Failure> {
    let mut renewed = HashMap::with_capacity(rows.len());
    for row in rows {
        let token = number(row, 1)?;
        let revision = u64::try_from(number(row, 2)?).unwrap_or_default();
        renewed.insert((gid(row, 0)?, token), Revision(revision));
    }
    let answers =
        held.iter().map(
            |(gid, token)| match renewed.get(&(gid.clone(), signed(token.0))) {
                Some(revision) => Held::Renewed(*revision),
                None => otherwise,
            },
        );
    Ok(answers.collect())
}
