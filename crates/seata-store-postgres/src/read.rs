//! Reads: one record, a page of headers, the time.

use seata_store::{Gid, Header, ListQuery, PAGE_MAX, Page, SCAN_MAX, Stored, UnixMillis};

use crate::connection::Pool;
use crate::error::{Effect, Failure};
use crate::layout::{columns, header, now, number, stored};

pub(crate) const LOAD: &str = concat!(
    "SELECT ",
    columns!(),
    ", t.events FROM global_transaction t WHERE t.gid = $1"
);

/// The order mixes directions, so that no comparison of tuples says "behind this": those of the same instant first, then
/// those before it. Each branch is one walk along the index, however many share an instant.
pub(crate) const LIST: &str = concat!(
    "SELECT * FROM ( \
       (SELECT ",
    columns!(),
    " FROM global_transaction t WHERE t.created_at = $1 AND t.gid > $2 AND t.created_at >= $3 \
        ORDER BY t.gid LIMIT $4) \
       UNION ALL \
       (SELECT ",
    columns!(),
    " FROM global_transaction t WHERE t.created_at < $1 AND t.created_at >= $3 \
        ORDER BY t.created_at DESC, t.gid LIMIT $4) \
     ) AS t ORDER BY t.created_at DESC, t.gid LIMIT $4"
);

const PING: &str = concat!("SELECT ", now!());

pub(crate) async fn load(pool: &Pool, gid: &Gid) -> Result<Option<Stored>, Failure> {
    let query = sqlx::query(LOAD).bind(gid.as_str());
    let rows = pool.take().await?.fetch(query, Effect::Reads).await?;
    rows.first().map(stored).transpose()
}

pub(crate) async fn ping(pool: &Pool) -> Result<UnixMillis, Failure> {
    let rows = pool
        .take()
        .await?
        .fetch(sqlx::query(PING), Effect::Reads)
        .await?;
    rows.first()
        .map_or(Ok(UnixMillis(0)), |row| number(row, 0).map(UnixMillis))
}

/// Reads one header more than the page may look at, to know whether there is a next page.
pub(crate) async fn list(pool: &Pool, query: &ListQuery) -> Result<Page<Header>, Failure> {
    let looked_at_max = match query.is_selective() {
        true => SCAN_MAX,
        false => query.limit.clamp(1, PAGE_MAX),
    };
    let (created_at, gid) = behind(query);
    let statement = sqlx::query(LIST)
        .bind(created_at)
        .bind(gid)
        .bind(query.created_from.map_or(i64::MIN, |from| from.0))
        .bind(i64::try_from(looked_at_max + 1).unwrap_or(i64::MAX));
    let rows = pool.take().await?.fetch(statement, Effect::Reads).await?;
    Page::of(query, rows.iter().map(header))
}

/// Behind which place in the list the walk begins: what is too new for the query is not looked at.
fn behind(query: &ListQuery) -> (i64, &str) {
    let newest = match query.created_before {
        Some(before) => (before.0.saturating_sub(1), ""),
        None => (i64::MAX, ""),
    };
    match &query.behind {
        Some(cursor) if cursor.created_at.0 <= newest.0 => {
            (cursor.created_at.0, cursor.gid.as_str())
        }
        Some(_) | None => newest,
    }
}
