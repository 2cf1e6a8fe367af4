//! Reading one record, and pages of headers.

use seata_store::{
    Cursor, Gid, Header, ListQuery, PAGE_MAX, Page, SCAN_MAX, StoreError, Stored, UnixMillis,
};

use crate::error::Access;
use crate::layout;
use crate::script::Command;
use crate::store::Inner;
use crate::walk::{BEHIND_ALL, From, Place, Walk};

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
    let wanted = if is_filtered(query) { SCAN_MAX } else { limit };
    let behind = start(query);
    let mut walk = Walk::begin(inner, inner.begin(), From::Newest, behind.as_ref(), wanted);
    let (mut items, mut last, mut scanned) = (Vec::new(), None, 0);
    while let Some(found) = walk
        .next()
        .await
        .map_err(|fault| fault.told(DOING, Access::Read))?
    {
        let created_at = UnixMillis(-found.score);
        if query.created_from.is_some_and(|from| created_at < from) {
            break;
        }
        if items.len() == limit || scanned == SCAN_MAX {
            return Ok(Page { items, next: last });
        }
        scanned += 1;
        last = Some(Cursor {
            created_at,
            gid: found.gid.clone(),
        });
        // Purged since the index was read, or evicted.
        if found.fields.is_gone() {
            continue;
        }
        let header = found.fields.header(DOING, found.gid)?;
        if query.matches(&header) {
            items.push(header);
        }
    }
    Ok(Page { items, next: None })
}

/// Times don't count: they bound where a page begins and ends.
fn is_filtered(query: &ListQuery) -> bool {
    !query.status.is_empty() || query.mode.is_some() || query.gid_prefix.is_some()
}

/// Answers the later of where the last page ended and where the newest that are asked for begin.
fn start(query: &ListQuery) -> Option<Place> {
    let behind = query.behind.as_ref().map(|cursor| Place {
        score: score(cursor.created_at),
        gid: cursor.gid.as_str().to_owned(),
    });
    // Times are whole: what was created before 5 comes behind everything of 5.
    let before = query.created_before.map(|before| Place {
        score: score(before),
        gid: BEHIND_ALL.to_owned(),
    });
    match (behind, before) {
        (Some(one), Some(other)) if (one.score, &one.gid) < (other.score, &other.gid) => {
            Some(other)
        }
        (Some(one), _) => Some(one),
        (None, before) => before,
    }
}

fn score(UnixMillis(at): UnixMillis) -> i64 {
    at.saturating_neg()
}
