//! Reads pages of the store, one after the other.

use seata_engine::Engine;
use seata_store::{Cursor, Header, ListQuery, PAGE_MAX};

use crate::problem::Problem;

/// What a client asked to see of the list, checked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which transactions, and where to begin.
    pub query: ListQuery,
    /// How many to step over first.
    pub skip: usize,
    /// How many at most, if the client said so.
    pub limit: Option<usize>,
}

/// What stands behind the pages that were read.
enum Rest {
    /// Perhaps more.
    Unread,
    /// Nothing.
    Nothing,
}

/// Where the next page begins.
pub(crate) struct Place {
    pub(crate) behind: Cursor,
    /// How many are still to be stepped over behind it.
    pub(crate) skip: usize,
}

/// The pages of one query that were not read yet.
pub(crate) struct Pages {
    query: ListQuery,
    skip: usize,
    rest: Rest,
}

impl Pages {
    pub(crate) fn new(query: ListQuery, skip: usize) -> Self {
        Self {
            query,
            skip,
            rest: Rest::Unread,
        }
    }

    /// Reads one page of at most so many. It may be short, even empty, though more follows: filters and what is
    /// stepped over leave little of it. None: nothing follows.
    pub(crate) async fn read(
        &mut self,
        engine: &Engine,
        at_most: usize,
    ) -> Result<Option<Vec<Header>>, Problem> {
        match self.rest {
            Rest::Unread => {}
            Rest::Nothing => return Ok(None),
        }
        self.query.limit = at_most.saturating_add(self.skip).min(PAGE_MAX);
        let page = engine.list(&self.query).await;
        let mut page = page.map_err(Problem::of_reading)?;
        let skipped = self.skip.min(page.items.len());
        self.skip -= skipped;
        page.items.drain(..skipped);
        match page.next {
            Some(next) => self.query.behind = Some(next),
            None => self.rest = Rest::Nothing,
        }
        Ok(Some(page.items))
    }

    /// Answers where to go on, if anything may follow.
    pub(crate) fn next(self) -> Option<Place> {
        match self.rest {
            Rest::Unread => self.query.behind.map(|behind| Place {
                behind,
                skip: self.skip,
            }),
            Rest::Nothing => None,
        }
    }
}
