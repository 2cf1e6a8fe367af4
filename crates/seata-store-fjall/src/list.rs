//! Listing, and what may be purged. Everything here may wait for the disk.

use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};

use seata_store::{Cursor, Gid, Header, ListQuery, Page, SCAN_MAX, StoreError, UnixMillis};

use crate::index::Known;
use crate::layout;
use crate::read::{self, failed};
use crate::store::Inner;

type Key = Vec<u8>;

pub(crate) fn list(inner: &Inner, query: &ListQuery) -> Result<Page<Header>, StoreError> {
    let from = lower(query);
    // Memory first: what is moved meanwhile is found twice rather than never.
    let mut unlisted: Vec<Key> = inner
        .index()
        .unlisted()
        .into_iter()
        .map(|(created_at, gid)| layout::created_key(created_at, &gid))
        .filter(|key| (from.clone(), Bound::Unbounded).contains(key))
        .collect();
    unlisted.sort_unstable();
    let listed = inner
        .files
        .created
        .range::<Key, _>((from, Bound::Unbounded))
        .map(|item| Ok(item.key().map_err(|e| failed(&e))?.to_vec()));
    let headers = merge(unlisted, listed)
        .map(|key| layout::read_created_key(&key?))
        .take_while(|key| !is_too_old(query, key))
        .filter_map(|key| {
            // A header that is gone was purged meanwhile.
            key.and_then(|(_, gid)| read::header(inner, &gid))
                .transpose()
        });
    Page::of(query, headers)
}

fn is_too_old(query: &ListQuery, key: &Result<(UnixMillis, Gid), StoreError>) -> bool {
    match (key, query.created_from) {
        (Ok((created_at, _)), Some(from)) => *created_at < from,
        (Ok(_) | Err(_), _) => false,
    }
}

/// Answers where a walk begins: behind the cursor, or at the newest that may match.
fn lower(query: &ListQuery) -> Bound<Key> {
    let newest = query
        .created_before
        .map(|before| layout::newest_first(UnixMillis(before.0.saturating_sub(1))).to_vec());
    let behind = query
        .behind
        .as_ref()
        .map(|cursor| layout::created_key(cursor.created_at, &cursor.gid));
    match (newest, behind) {
        (Some(newest), Some(behind)) if newest > behind => Bound::Included(newest),
        (_, Some(behind)) => Bound::Excluded(behind),
        (Some(newest), None) => Bound::Included(newest),
        (None, None) => Bound::Unbounded,
    }
}

/// Walks two sorted rows as one, and what is in both once.
fn merge(
    unlisted: Vec<Key>,
    listed: impl Iterator<Item = Result<Key, StoreError>>,
) -> impl Iterator<Item = Result<Key, StoreError>> {
    let mut unlisted = unlisted.into_iter().peekable();
    let mut listed = listed.peekable();
    std::iter::from_fn(move || {
        let (Some(ours), Some(Ok(theirs))) = (unlisted.peek(), listed.peek()) else {
            return match listed.peek() {
                Some(_) => listed.next(),
                None => unlisted.next().map(Ok),
            };
        };
        match ours.cmp(theirs) {
            Ordering::Less => unlisted.next().map(Ok),
            Ordering::Greater => listed.next(),
            Ordering::Equal => {
                unlisted.next();
                listed.next()
            }
        }
    })
}

/// Finds ended transactions that may go, the oldest first, among a bounded number behind where the last purge ended.
/// Answers where the next one goes on, so that old open ones hold up none: behind the last one that is old enough to have
/// ended it begins anew. What the log has still is left for later.
pub(crate) fn purgeable(
    inner: &Inner,
    ended_before: UnixMillis,
    limit: usize,
    from: &Option<Cursor>,
) -> Result<(Vec<Header>, Option<Cursor>), StoreError> {
    let newer_than = from.as_ref().map_or(Bound::Unbounded, |cursor| {
        Bound::Excluded(layout::created_key(cursor.created_at, &cursor.gid))
    });
    let files = &inner.files;
    let keys = files
        .created
        .range::<Key, _>((Bound::Unbounded, newer_than));
    let (mut found, mut last) = (Vec::new(), None);
    for (scanned, item) in keys.rev().enumerate() {
        if found.len() == limit || scanned == SCAN_MAX {
            return Ok((found, last));
        }
        let (created_at, gid) = layout::read_created_key(&item.key().map_err(|e| failed(&e))?)?;
        if created_at >= ended_before {
            break;
        }
        let header = match inner.known(&gid) {
            Known::Nothing => read::ended_header(files, &gid)?,
            Known::Active(_) | Known::Waiting(_) => None,
        };
        found.extend(
            header.filter(|header| header.status.is_final() && header.updated_at < ended_before),
        );
        last = Some(Cursor { created_at, gid });
    }
    Ok((found, None))
}
