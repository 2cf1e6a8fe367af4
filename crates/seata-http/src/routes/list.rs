//! `/api/tx`: the newest first, by pages.

use std::sync::Arc;

use axum::extract::Request;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use seata_core::{Gid, Mode, Status, UnixMillis};
use seata_store::{Cursor, Header, ListQuery, PAGE_MAX};

use super::lines;
use super::pages::{Asked, Pages};
use crate::answer::{headers, json};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::problem::Problem;
use crate::query::Query;

const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

const LIMIT_DEFAULT: usize = 10;

/// How far one may skip by number: each one skipped is read. A cursor goes any distance.
const OFFSET_MAX: usize = 10_000;

/// How many pages of the store are read for one answer, if filters leave little of each.
const SCANS_MAX: usize = 16;

/// Between time and gid of a cursor: no character of a gid.
const CURSOR_MARK: char = '~';

/// Answers a page of transactions, or all as lines.
pub(super) async fn list(api: Arc<Api>, request: Request) -> Answer {
    let asked = read(&Query::parse(request.uri().query())?)?;
    if lines::is_asked(request.headers()) {
        return lines::stream(api, asked).await;
    }
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    let mut pages = Pages::new(asked.query, asked.skip);
    let mut found: Vec<Header> = Vec::new();
    for _ in 0..SCANS_MAX {
        let Some(page) = pages.read(&api.engine, limit - found.len()).await? else {
            break;
        };
        found.extend(page);
        if found.len() >= limit {
            break;
        }
    }
    let mut response = json(StatusCode::OK, &headers(&found));
    if let Some(cursor) = pages.next()
        && let Ok(value) = HeaderValue::from_str(&write_cursor(&cursor))
    {
        response.headers_mut().insert(NEXT_CURSOR, value);
    }
    Ok(response)
}

fn read(query: &Query) -> Result<Asked, Problem> {
    let limit = number(query, "limit", 1, PAGE_MAX)?;
    let offset = number(query, "offset", 0, OFFSET_MAX)?;
    let behind = query.get("cursor")?.map(read_cursor).transpose()?;
    if behind.is_some() && offset.is_some() {
        return Err(Problem::field(
            "offset",
            "is given beside `cursor`: give one of them",
        ));
    }
    let query = ListQuery {
        behind,
        status: query.get("status")?.map_or(Ok(Vec::new()), statuses)?,
        mode: query.get("mode")?.map(mode).transpose()?,
        created_from: instant(query, "created_after")?,
        created_before: instant(query, "created_before")?,
        gid_prefix: query.get("gid_prefix")?.map(prefix).transpose()?,
        ..ListQuery::newest(LIMIT_DEFAULT)
    };
    Ok(Asked {
        query,
        skip: offset.unwrap_or(0),
        limit,
    })
}

fn number(query: &Query, name: &str, min: usize, max: usize) -> Result<Option<usize>, Problem> {
    let Some(text) = query.get(name)? else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        Ok(_) | Err(_) => Err(Problem::field(
            name,
            format_args!("{text:?} is not allowed: give a whole number from {min} to {max}"),
        )),
    }
}

fn statuses(text: &str) -> Result<Vec<Status>, Problem> {
    let read = |word: &str| {
        Status::parse(&word.trim().to_ascii_uppercase()).ok_or_else(|| {
            let known = Status::ALL.map(Status::as_str).join(", ");
            Problem::field(
                "status",
                format_args!("{word:?} is no status: give some of {known}"),
            )
        })
    };
    text.split(',').map(read).collect()
}

fn mode(text: &str) -> Result<Mode, Problem> {
    if text == Mode::Saga.as_str() {
        return Ok(Mode::Saga);
    }
    Err(Problem::field(
        "mode",
        format_args!("{text:?} is no mode of this server: give saga"),
    ))
}

fn prefix(text: &str) -> Result<String, Problem> {
    Gid::parse(text)
        .map(|gid| gid.to_string())
        .map_err(|error| Problem::field("gid_prefix", error))
}

/// Reads RFC 3339, or seconds since 1970 with or without decimals.
fn instant(query: &Query, name: &str) -> Result<Option<UnixMillis>, Problem> {
    let Some(text) = query.get(name)? else {
        return Ok(None);
    };
    let ms = match text.parse::<Timestamp>() {
        Ok(at) => Some(at.as_millisecond()),
        Err(_) => unix(text),
    };
    ms.map(|ms| Some(UnixMillis(ms))).ok_or_else(|| {
        let why = format_args!(
            "{text:?} is no time: give RFC 3339 like 2030-01-31T12:00:00Z, or seconds since 1970"
        );
        Problem::field(name, why)
    })
}

fn unix(text: &str) -> Option<i64> {
    let secs: f64 = text.parse().ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "within the range")]
    (0.0..=253_402_300_799.0)
        .contains(&secs)
        .then_some((secs * 1000.0) as i64)
}

fn write_cursor(cursor: &Cursor) -> String {
    format!("{}{CURSOR_MARK}{}", cursor.created_at.0, cursor.gid)
}

fn read_cursor(text: &str) -> Result<Cursor, Problem> {
    let parts = text.split_once(CURSOR_MARK).and_then(|(ms, gid)| {
        Some(Cursor {
            created_at: UnixMillis(ms.parse().ok()?),
            gid: Gid::parse(gid).ok()?,
        })
    });
    parts.ok_or_else(|| {
        Problem::field(
            "cursor",
            "is none of ours: give the value of the header x-next-cursor",
        )
    })
}
