//! Purges: what ended long ago goes, from the old end of the list, a bounded piece at a time.

use std::sync::{Arc, Mutex, PoisonError};

use seata_store::code::status_of;
use seata_store::{Cursor, SCAN_MAX, UnixMillis};
use sqlx::postgres::PgRow;

use crate::connection::Pool;
use crate::error::{Effect, Failure};
use crate::layout::{gid, number, value};

/// What was created before an instant, from the other end of the list: oldest first, and within an instant the last gid
/// first.
pub(crate) const OLDEST: &str = "SELECT * FROM ( \
       (SELECT t.gid, t.created_at, t.updated_at, t.status FROM global_transaction t \
        WHERE t.created_at = $1 AND t.created_at < $4 AND t.gid < $2 ORDER BY t.gid DESC LIMIT $3) \
       UNION ALL \
       (SELECT t.gid, t.created_at, t.updated_at, t.status FROM global_transaction t \
        WHERE t.created_at > $1 AND t.created_at < $4 ORDER BY t.created_at, t.gid DESC LIMIT $3) \
     ) AS t ORDER BY t.created_at, t.gid DESC LIMIT $3";

/// Looks again under the lock. What somebody holds locked stays for the next time: a purge makes nobody wait.
pub(crate) const REMOVE: &str = "WITH gone AS MATERIALIZED ( \
       SELECT t.gid FROM global_transaction t \
       WHERE t.gid = ANY ($1::text[]) AND t.status IN (4, 5) AND t.updated_at < $2 \
       ORDER BY t.gid FOR UPDATE SKIP LOCKED) \
     DELETE FROM global_transaction t USING gone \
     WHERE t.gid = gone.gid RETURNING t.gid";

/// Older than every row: nothing in a gid comes behind `~`.
const OLDER_THAN_ALL: (i64, &str) = (i64::MIN, "~");

/// Where the next purge goes on, so that old open transactions hold up none. Each process has its own.
#[derive(Clone, Default)]
pub(crate) struct PurgedTo {
    place: Arc<Mutex<Option<Cursor>>>,
}

impl PurgedTo {
    fn get(&self) -> Option<Cursor> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }

    fn set(&self, place: Option<Cursor>) {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

pub(crate) async fn purge(
    pool: &Pool,
    purged_to: &PurgedTo,
    ended_before: UnixMillis,
    limit: usize,
) -> Result<usize, Failure> {
    let begin = purged_to.get();
    let (created_at, name) = begin.as_ref().map_or(OLDER_THAN_ALL, |cursor| {
        (cursor.created_at.0, cursor.gid.as_str())
    });
    let query = sqlx::query(OLDEST)
        .bind(created_at)
        .bind(name)
        .bind(i64::try_from(SCAN_MAX).unwrap_or(i64::MAX))
        .bind(ended_before.0);
    let mut connection = pool.take().await?;
    let rows = connection.fetch(query, Effect::Reads).await?;
    let (old, end) = choose(&rows, ended_before, limit)?;
    let (old_count, mut removed) = (old.len(), 0);
    if !old.is_empty() {
        let query = sqlx::query(REMOVE).bind(old).bind(ended_before.0);
        removed = connection.fetch(query, Effect::Writes).await?.len();
    }
    // Behind the last one that is old enough to have ended the next one begins anew.
    let is_all = rows.len() < SCAN_MAX && old_count < limit;
    purged_to.set(end.filter(|_| !is_all));
    Ok(removed)
}

/// Answers what has ended, up to the limit, and the last place that was looked at; none: there was nothing to look at.
fn choose(
    rows: &[PgRow],
    ended_before: UnixMillis,
    limit: usize,
) -> Result<(Vec<&str>, Option<Cursor>), Failure> {
    let mut old = Vec::new();
    let mut end = None;
    for row in rows {
        if old.len() == limit {
            break;
        }
        let status = u8::try_from(value::<i16>(row, 3)?).ok().and_then(status_of);
        if status.is_some_and(|status| status.is_final()) && number(row, 2)? < ended_before.0 {
            old.push(value(row, 0)?);
        }
        end = Some(Cursor {
            created_at: UnixMillis(number(row, 1)?),
            gid: gid(row, 0)?,
        });
    }
    Ok((old, end))
}
