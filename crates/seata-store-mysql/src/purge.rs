//! Removes what ended long ago, from the old end of the list, a bounded number at a time.

use std::sync::{Mutex, PoisonError};

use seata_store::{Gid, SCAN_MAX, StoreError, UnixMillis};
use sqlx::mysql::MySqlRow;

use crate::batch::ended;
use crate::connection::{Pool, Span};
use crate::error::{Chance, failed};
use crate::read::{ask, newest_first};
use crate::{layout, text};

const DOING: &str = "purging";

/// Where the next purge goes on, so that old open transactions hold up none: behind this place, as the table has it.
#[derive(Debug, Default)]
pub(crate) struct Place(Mutex<Option<(i64, Gid)>>);

impl Place {
    fn get(&self) -> Option<(i64, Gid)> {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }

    fn set(&self, place: Option<(i64, Gid)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

/// Looks without locks, then removes by key, and asks again whether each has ended.
pub(crate) async fn purge(
    pool: &Pool,
    place: &Place,
    ended_before: UnixMillis,
    limit: usize,
) -> Result<usize, StoreError> {
    let mut lent = pool.lend(DOING).await?;
    let answer = ask(&mut lent, DOING, walk(place.get().as_ref(), ended_before)).await?;
    let (mut old, mut next) = (Vec::new(), None);
    for row in &answer.rows {
        if old.len() == limit {
            break;
        }
        let (at, is_old) = look(row)?;
        if is_old {
            old.push(at.1.clone());
        }
        next = Some(at);
    }
    let removed = if old.is_empty() {
        0
    } else {
        old.sort_unstable();
        let removed = lent
            .send(remove(&old, ended_before), Span::Statements)
            .await;
        let removed = removed.map_err(|broken| failed(DOING, &broken.error, Chance::Open))?;
        removed.first().map_or(0, |answer| answer.rows_affected)
    };
    // Behind the last one that is old enough to have ended it begins anew.
    let is_all = answer.rows.len() < SCAN_MAX && old.len() < limit;
    place.set(next.filter(|_| !is_all));
    Ok(usize::try_from(removed).unwrap_or(usize::MAX))
}

/// Walks what was created before that instant backwards, oldest first.
pub(crate) fn walk(behind: Option<&(i64, Gid)>, ended_before: UnixMillis) -> String {
    let behind = behind.map_or_else(String::new, |(at, gid)| {
        format!(" AND (newest_first < {at} OR (newest_first = {at} AND gid < '{gid}'))")
    });
    let (ended, UnixMillis(before)) = (ended(), ended_before);
    let youngest = newest_first(ended_before);
    format!(
        "SELECT newest_first, gid, status IN {ended} AND updated_at < {before} FROM global_transaction \
         FORCE INDEX (global_transaction_newest) WHERE newest_first > {youngest}{behind} \
         ORDER BY newest_first DESC, gid DESC LIMIT {SCAN_MAX}"
    )
}

fn look(row: &MySqlRow) -> Result<((i64, Gid), bool), StoreError> {
    let is_old: i32 = layout::column(row, 2)?;
    Ok(((layout::column(row, 0)?, layout::gid(row, 1)?), is_old != 0))
}

pub(crate) fn remove(old: &[Gid], ended_before: UnixMillis) -> String {
    let (gids, ended, UnixMillis(before)) = (text::gids(old), ended(), ended_before);
    // By key, whatever the server thinks of it: a scan would wait for the locks of all others. Only a DELETE of several
    // tables takes the hint.
    format!(
        "DELETE g FROM global_transaction AS g FORCE INDEX (PRIMARY) \
         WHERE g.gid IN {gids} AND g.status IN {ended} AND g.updated_at < {before}"
    )
}
