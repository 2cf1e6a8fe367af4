//! Reads: one record, several, and pages of headers. They lock nothing.

use seata_store::{
    Gid, Header, ListQuery, PAGE_MAX, Page, SCAN_MAX, StoreError, Stored, UnixMillis,
};

use crate::connection::{Answer, Lent, Pool, Span};
use crate::error::{Chance, corrupt, failed};
use crate::layout;
use crate::text::{self, HEADER, NOW};

/// Answers what the first statement of a packet that only reads answered.
pub(crate) async fn ask(
    lent: &mut Lent<'_>,
    doing: &'static str,
    text: String,
) -> Result<Answer, StoreError> {
    let answers = lent.send(text, Span::Statements).await;
    let answers = answers.map_err(|broken| failed(doing, &broken.error, Chance::None))?;
    answers
        .into_iter()
        .next()
        .ok_or_else(|| corrupt(doing, "the server answered nothing"))
}

pub(crate) async fn ping(pool: &Pool) -> Result<UnixMillis, StoreError> {
    const DOING: &str = "asking for the time";
    let mut lent = pool.lend(DOING).await?;
    let answer = ask(&mut lent, DOING, format!("SELECT {NOW}")).await?;
    let row = answer.rows.first();
    let row = row.ok_or_else(|| corrupt(DOING, "the server answered no row"))?;
    Ok(UnixMillis(layout::column(row, 0)?))
}

pub(crate) async fn load(pool: &Pool, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    const DOING: &str = "loading a transaction";
    let mut lent = pool.lend(DOING).await?;
    let answer = ask(&mut lent, DOING, load_text(std::slice::from_ref(gid))).await?;
    answer.rows.first().map(layout::stored).transpose()
}

pub(crate) fn sizes_text(gids: &[Gid]) -> String {
    let gids = text::gids(gids);
    format!("SELECT gid, events_bytes FROM global_transaction WHERE gid IN {gids}")
}

pub(crate) fn load_text(gids: &[Gid]) -> String {
    let gids = text::gids(gids);
    format!("SELECT {HEADER}, events FROM global_transaction WHERE gid IN {gids}")
}

/// Answers a page. The server walks the index and nothing else; the other filters look at what it found.
pub(crate) async fn list(pool: &Pool, query: &ListQuery) -> Result<Page<Header>, StoreError> {
    const DOING: &str = "listing transactions";
    let rows_max = if query.is_selective() {
        SCAN_MAX
    } else {
        query.limit.clamp(1, PAGE_MAX)
    };
    let mut lent = pool.lend(DOING).await?;
    // One more tells whether this is all.
    let answer = ask(&mut lent, DOING, list_text(query, rows_max + 1)).await?;
    Page::of(query, answer.rows.iter().map(layout::header))
}

pub(crate) fn list_text(query: &ListQuery, rows_max: usize) -> String {
    let mut conditions = Vec::new();
    if let Some(cursor) = &query.behind {
        let at = newest_first(cursor.created_at);
        let gid = &cursor.gid;
        conditions.push(format!(
            "(newest_first > {at} OR (newest_first = {at} AND gid > '{gid}'))"
        ));
    }
    if let Some(from) = query.created_from {
        conditions.push(format!("newest_first <= {}", newest_first(from)));
    }
    if let Some(before) = query.created_before {
        conditions.push(format!("newest_first > {}", newest_first(before)));
    }
    let walk = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    format!(
        "SELECT {HEADER} FROM global_transaction FORCE INDEX (global_transaction_newest){walk} \
         ORDER BY newest_first, gid LIMIT {rows_max}"
    )
}

/// As the table computes it: it rises as the time falls.
pub(crate) const fn newest_first(created_at: UnixMillis) -> i64 {
    !created_at.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_table_and_never_runs_over() {
        assert_eq!(newest_first(UnixMillis(5)), -1 - 5);
        assert_eq!(newest_first(UnixMillis(i64::MIN)), i64::MAX);
        assert_eq!(newest_first(UnixMillis(i64::MAX)), i64::MIN);
    }
}
