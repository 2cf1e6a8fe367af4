//! The list of transactions, the newest first, by pages.

use std::time::Duration;

use seata_core::{Gid, UnixMillis};
use seata_engine::Engine;
use seata_store::{Cursor, Header, ListQuery, PAGE_MAX};
use tokio::time::sleep;

use crate::code::ErrorCode;
use crate::pages::{Asked, Pages, Place};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::ListRequest;
use crate::service::Service;

/// The most transactions on a page.
pub const LIMIT_MAX: usize = PAGE_MAX;

/// How far one may skip by number: each one skipped is read. A cursor goes any distance.
pub const OFFSET_MAX: usize = 10_000;

const LIMIT_DEFAULT: usize = 10;

/// How many pages of the store are read for one answer, if filters leave little of each.
const SCANS_MAX: usize = 16;

/// Between time and gid of a cursor, and what is to be stepped over behind them: no character of a gid.
const CURSOR_MARK: char = '~';

/// One page.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What the store may read of each transaction.
    pub headers: Vec<Header>,
    /// Where the next page begins, if anything may follow.
    pub next_cursor: Option<String>,
}

/// How many transactions are in memory at once for one client that reads all: few at first, and again behind a page that
/// the store did not answer in time, then twice as many with each page.
const ALL_PAGE_MIN: usize = 16;
const ALL_PAGE_MAX: usize = 256;

/// How often in a row a page is asked for again behind those that were told: a store that is slow for a moment breaks off no
/// long list.
const ASKED_AGAIN_MAX: u32 = 3;
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// All that matches, a page at a time, as fast as the client reads.
pub struct AllPages {
    engine: Engine,
    pages: Pages,
    left: usize,
    at_once: usize,
    /// How often a page may be asked for again: none before something was told, as whoever waits for that is told at once.
    again_max: u32,
}

impl AllPages {
    /// Reads on until there is something to tell; none: that was all.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<Header>>, Problem> {
        while self.left > 0 {
            let Some(headers) = self.page().await? else {
                break;
            };
            self.left = self.left.saturating_sub(headers.len());
            if !headers.is_empty() {
                self.again_max = ASKED_AGAIN_MAX;
                return Ok(Some(headers));
            }
        }
        Ok(None)
    }

    async fn page(&mut self) -> Result<Option<Vec<Header>>, Problem> {
        let mut again = 0..self.again_max;
        loop {
            let at_most = self.left.min(self.at_once);
            match self.pages.read(&self.engine, at_most).await {
                Ok(page) => {
                    self.at_once = ALL_PAGE_MAX.min(self.at_once * 2);
                    return Ok(page);
                }
                Err(problem) => {
                    if problem.code != ErrorCode::StoreUnavailable || again.next().is_none() {
                        return Err(problem);
                    }
                    self.at_once = ALL_PAGE_MIN;
                    sleep(ASKED_AGAIN_AFTER).await;
                }
            }
        }
    }
}

impl ListRequest<'_> {
    /// Reads what a client wants to see.
    ///
    /// # Errors
    /// A field is wrong.
    pub fn resolve(self) -> Result<Asked, Problem> {
        let limit = within("limit", self.limit, 1, LIMIT_MAX)?;
        let offset = within("offset", self.offset, 0, OFFSET_MAX)?;
        let place = self.cursor.as_deref().map(read_cursor).transpose()?;
        if place.is_some() && offset.is_some() {
            return Err(Problem::field(
                "offset",
                "is given beside `cursor`: give one of them",
            ));
        }
        let skip = place.as_ref().map(|place| place.skip).or(offset);
        let query = ListQuery {
            behind: place.map(|place| place.behind),
            status: self.status,
            mode: self.mode,
            created_from: self.created_from,
            created_before: self.created_before,
            gid_prefix: self.gid_prefix.as_deref().map(prefix).transpose()?,
            ..ListQuery::newest(LIMIT_DEFAULT)
        };
        Ok(Asked {
            query,
            skip: skip.unwrap_or(0),
            limit,
        })
    }
}

impl Service {
    /// Answers one page.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn list(&self, asked: Asked) -> Result<Listed, Problem> {
        let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
        let mut pages = Pages::new(asked.query, asked.skip);
        let mut headers: Vec<Header> = Vec::new();
        for _ in 0..SCANS_MAX {
            let page = pages.read(self.engine(), limit - headers.len()).await?;
            let Some(page) = page else { break };
            headers.extend(page);
            if headers.len() >= limit {
                break;
            }
        }
        Ok(Listed {
            headers,
            next_cursor: pages.next().as_ref().map(write_cursor),
        })
    }

    /// Answers all that matches, page by page.
    #[must_use]
    pub fn list_all(&self, asked: Asked) -> AllPages {
        AllPages {
            engine: self.engine().clone(),
            pages: Pages::new(asked.query, asked.skip),
            left: asked.limit.unwrap_or(usize::MAX),
            at_once: ALL_PAGE_MIN,
            again_max: 0,
        }
    }
}

fn within(
    name: &'static str,
    given: Option<usize>,
    min: usize,
    max: usize,
) -> Result<Option<usize>, Problem> {
    match given {
        Some(number) if !(min..=max).contains(&number) => Err(Problem::field(
            Path::Body.key(name),
            format_args!("\"{number}\" is not allowed: give a whole number from {min} to {max}"),
        )),
        Some(_) | None => Ok(given),
    }
}

fn prefix(text: &str) -> Result<String, Problem> {
    Gid::parse(text)
        .map(|gid| gid.to_string())
        .map_err(|error| Problem::field("gid_prefix", error.why()))
}

fn write_cursor(Place { behind, skip }: &Place) -> String {
    let cursor = format!("{}{CURSOR_MARK}{}", behind.created_at.0, behind.gid);
    match skip {
        0 => cursor,
        skip => format!("{cursor}{CURSOR_MARK}{skip}"),
    }
}

fn read_cursor(text: &str) -> Result<Place, Problem> {
    place(text).ok_or_else(|| {
        Problem::field(
            "cursor",
            "is none of ours: give the value of the header x-next-cursor",
        )
    })
}

fn place(text: &str) -> Option<Place> {
    let (ms, rest) = text.split_once(CURSOR_MARK)?;
    let (gid, skip) = match rest.split_once(CURSOR_MARK) {
        Some((gid, skip)) => (gid, skip.parse().ok()?),
        None => (rest, 0),
    };
    Some(Place {
        behind: Cursor {
            created_at: UnixMillis(ms.parse().ok()?),
            gid: Gid::parse(gid).ok()?,
        },
        skip: Some(skip).filter(|skip| *skip <= OFFSET_MAX)?,
    })
}
