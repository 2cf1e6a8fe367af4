//! Merges pages of all shards.

use std::cmp::Reverse;

use futures_util::future::join_all;
use seata_store::{Cursor, Gid, Header, ListQuery, PAGE_MAX, Page, StoreError, UnixMillis};
use tokio::time::Instant;

use crate::gate::Call;
use crate::member::{ANSWER_TIME_MAX, Member};

/// Answers a page. Fails as long as a shard does not answer: a list that silently lacks a part would be a lie.
///
/// Each shard looks at no more than for a page of its own.
pub(crate) async fn list(
    members: &[Member],
    query: &ListQuery,
) -> Result<Page<Header>, StoreError> {
    let until = Instant::now() + ANSWER_TIME_MAX;
    let asked = members.iter().map(|member| {
        let question = member.store.list(query);
        member.ask(Call::Read, "listing", until, question)
    });
    let pages: Result<Vec<_>, _> = join_all(asked).await.into_iter().collect();
    Ok(merge(pages?, query.limit.clamp(1, PAGE_MAX)))
}

/// Where something stands in list order.
type Place = (Reverse<UnixMillis>, Gid);

fn place(cursor: Cursor) -> Place {
    (Reverse(cursor.created_at), cursor.gid)
}

fn place_of(header: &Header) -> Place {
    (Reverse(header.created_at), header.gid.clone())
}

fn cursor((created_at, gid): Place) -> Cursor {
    Cursor {
        created_at: created_at.0,
        gid,
    }
}

/// Merges pages that begin behind the same cursor. What lies behind the end of a page that is not the last one of its
/// shard waits: that shard may have something before it.
fn merge(pages: Vec<Page<Header>>, limit: usize) -> Page<Header> {
    let mut headers = Vec::new();
    let mut horizon: Option<Place> = None;
    for page in pages {
        headers.extend(page.items);
        let end = page.next.map(place);
        horizon = match (horizon, end) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let mut placed: Vec<(Place, Header)> = headers
        .into_iter()
        .map(|header| (place_of(&header), header))
        .filter(|(place, _)| horizon.as_ref().is_none_or(|horizon| place <= horizon))
        .collect();
    placed.sort_by(|(a, _), (b, _)| a.cmp(b));
    if placed.len() > limit {
        placed.truncate(limit);
        horizon = placed.last().map(|(place, _)| place.clone());
    }
    Page {
        items: placed.into_iter().map(|(_, header)| header).collect(),
        next: horizon.map(cursor),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use seata_store::{Mode, Revision, Status};

    use super::*;

    fn header(name: &str, at_ms: i64) -> Header {
        Header {
            gid: Gid::parse(name).unwrap(),
            mode: Mode::Saga,
            status: Status::Submitted,
            revision: Revision(1),
            token: seata_store::FencingToken(0),
            owner: None,
            lease_until: None,
            wake_at: None,
            created_at: UnixMillis(at_ms),
            updated_at: UnixMillis(at_ms),
        }
    }

    fn page(items: &[(&str, i64)], next: Option<(&str, i64)>) -> Page<Header> {
        Page {
            items: items.iter().map(|(name, at)| header(name, *at)).collect(),
            next: next.map(|(name, at)| cursor(place_of(&header(name, at)))),
        }
    }

    fn shown(page: &Page<Header>) -> (Vec<&str>, Option<&str>) {
        (
            page.items
                .iter()
                .map(|header| header.gid.as_str())
                .collect(),
            page.next.as_ref().map(|cursor| cursor.gid.as_str()),
        )
    }

    #[test]
    fn nothing_is_answered_from_behind_the_end_of_another_shards_page() {
        let ended = page(&[("a", 9), ("d", 3), ("e", 2)], None);
        let scanned = page(&[("b", 8)], Some(("x", 5)));
        let merged = merge(vec![ended, scanned], 10);
        assert_eq!(shown(&merged), (vec!["a", "b"], Some("x")));
    }

    #[test]
    fn a_page_that_is_cut_goes_on_behind_its_last_item() {
        let pages = || {
            vec![
                page(&[("a", 9), ("c", 7)], None),
                page(&[("b", 9), ("d", 7)], None),
            ]
        };
        assert_eq!(shown(&merge(pages(), 3)), (vec!["a", "b", "c"], Some("c")));
        assert_eq!(shown(&merge(pages(), 4)), (vec!["a", "b", "c", "d"], None));
    }

    #[test]
    fn a_page_may_be_empty_and_go_on() {
        let pages = vec![page(&[], Some(("m", 4))), page(&[("z", 1)], None)];
        assert_eq!(shown(&merge(pages, 3)), (vec![], Some("m")));
    }
}
