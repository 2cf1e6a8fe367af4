//! Listing: newest first, by pages that stay stable while others write.

use seata_core::{Gid, Mode, Status, UnixMillis};

use crate::header::Header;

/// The most headers that a page holds.
pub const PAGE_MAX: usize = 1000;

/// The most headers that are looked at for one page: a filter that matches little gives a short page with a cursor.
pub const SCAN_MAX: usize = 1000;

/// Points between two transactions in list order, behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its time of creation.
    pub created_at: UnixMillis,
    /// Its name.
    pub gid: Gid,
}

impl Cursor {
    /// Answers whether a header comes behind this cursor in list order: created_at descending, then gid ascending.
    #[must_use]
    pub fn is_before(&self, header: &Header) -> bool {
        header.created_at < self.created_at
            || (header.created_at == self.created_at && header.gid > self.gid)
    }
}

/// What to list, in the order (created_at descending, gid ascending).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// At most so many, 1 to [`PAGE_MAX`].
    pub limit: usize,
    /// Only what comes behind this; none: from the newest.
    pub behind: Option<Cursor>,
    /// Only in one of these states; empty: all.
    pub status: Vec<Status>,
    /// Only of this mode.
    pub mode: Option<Mode>,
    /// Only created at this time or later.
    pub created_from: Option<UnixMillis>,
    /// Only created before this time.
    pub created_before: Option<UnixMillis>,
    /// Only names that begin so.
    pub gid_prefix: Option<String>,
}

impl ListQuery {
    /// Asks for the newest, without a filter.
    #[must_use]
    pub const fn newest(limit: usize) -> Self {
        Self {
            limit,
            behind: None,
            status: Vec::new(),
            mode: None,
            created_from: None,
            created_before: None,
            gid_prefix: None,
        }
    }

    /// Answers whether headers are looked at that may not match although their times do: then a page may take
    /// [`SCAN_MAX`] of them, else as many as it holds. The times are where a walk in list order begins and ends.
    #[must_use]
    pub const fn is_selective(&self) -> bool {
        !self.status.is_empty() || self.mode.is_some() || self.gid_prefix.is_some()
    }

    /// Answers whether a header passes the filters. The cursor is not looked at.
    #[must_use]
    pub fn matches(&self, header: &Header) -> bool {
        (self.status.is_empty() || self.status.contains(&header.status))
            && self.mode.is_none_or(|mode| mode == header.mode)
            && self
                .created_from
                .is_none_or(|from| header.created_at >= from)
            && self
                .created_before
                .is_none_or(|before| header.created_at < before)
            && self
                .gid_prefix
                .as_ref()
                .is_none_or(|prefix| header.gid.as_str().starts_with(prefix.as_str()))
    }
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found, in order.
    pub items: Vec<T>,
    /// Where to go on; none: this was all. A page may be short, even empty, and carry a cursor.
    pub next: Option<Cursor>,
}

impl Page<Header> {
    /// Makes the page of a query from the headers that come behind its cursor, in list order. What is beyond the page is
    /// taken from the walk only to know that there is more.
    ///
    /// # Errors
    /// The first one of the headers that belong to the page.
    pub fn of<E>(
        query: &ListQuery,
        headers: impl IntoIterator<Item = Result<Header, E>>,
    ) -> Result<Self, E> {
        let limit = query.limit.clamp(1, PAGE_MAX);
        let (mut items, mut last) = (Vec::new(), None);
        for (looked_at, header) in headers.into_iter().enumerate() {
            if items.len() == limit || looked_at == SCAN_MAX {
                return Ok(Self { items, next: last });
            }
            let header = header?;
            last = Some(Cursor {
                created_at: header.created_at,
                gid: header.gid.clone(),
            });
            if query.matches(&header) {
                items.push(header);
            }
        }
        Ok(Self { items, next: None })
    }
}
