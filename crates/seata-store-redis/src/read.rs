//! Reading one record, and pages of headers.

use seata_store::{
    Cursor, Gid, Header, ListQuery, PAGE_MAX, Page, SCAN_MAX, StoreError, Stored, UnixMillis,
};

use crate::error::Access;
use crate::layout;
use crate::script::Command;
use crate::store::Inner;
use crate::walk::{From, Losses, Place, Walk, score};

pub(crate) async fn load(inner: &Inner, gid: &Gid) -> Result<Option<Stored>, StoreError> {
    const DOING: &str = "loading";
    let key = inner.layout.record(gid);
    let partition = inner.layout.partition(gid);
    let command = Command::plain("HGETALL", &[&key]);
    let answer = inner.ask(inner.begin(), partition, command).await;
    let answer = answer.map_err(|fault| fault.told(DOING, Access::Read))?;
    layout::stored(DOING, gid, answer)
}

pub(crate) async fn list(inner: &Inner, query: &ListQuery) -> Result<Page<Header>, StoreError> {
    const DOING: &str = "listing";
    let limit = query.limit.clamp(1, PAGE_MAX);
    let wanted = if query.is_selective() {
        SCAN_MAX
    } else {
        limit
    };
    let behind = start(query);
    let order = (From::Newest, Losses::Fail);
    let mut walk = Walk::begin(inner, inner.begin(), order, behind.as_ref(), wanted);
    let (mut items, mut last, mut scanned) = (Vec::new(), None, 0);
    while let Some(found) = walk
        .next()
        .await
        .map_err(|fault| fault.told(DOING, Access::Read))?
    {
        if query
            .created_from
            .is_some_and(|from| found.score > score(from))
        {
            break;
        }
        if items.len() == limit || scanned == SCAN_MAX {
            return Ok(Page { items, next: last });
        }
        scanned += 1;
        // Purged since the index was read, or evicted.
        if found.fields.is_gone() {
            last = Some(Cursor {
                created_at: found.created_at(),
                gid: found.gid,
            });
            continue;
        }
        let header = found.fields.header(DOING, found.gid)?;
        last = Some(Cursor {
            created_at: header.created_at,
            gid: header.gid.clone(),
        });
        if query.matches(&header) {
            items.push(header);
        }
    }
    Ok(Page { items, next: None })
}

/// Answers the later of where the last page ended and where the newest that are asked for begin.
fn start(query: &ListQuery) -> Option<Place> {
    let behind = query.behind.as_ref();
    let behind = behind.map(|cursor| Place::new(cursor.created_at, cursor.gid.as_str()));
    // Times are whole: the newest that was created before 5 was created at 4.
    let before = query.created_before;
    let before = before.map(|UnixMillis(at)| Place::new(UnixMillis(at.saturating_sub(1)), ""));
    match (behind, before) {
        (Some(one), Some(other)) if one.is_before(&other) => Some(other),
        (Some(one), _) => Some(one),
        (None, before) => before,
    }
}
