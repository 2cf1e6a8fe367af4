//! `/api/tx`: the newest first, by pages.

use std::sync::Arc;

use axum::extract::Request;
use http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use seata_core::UnixMillis;
use seata_service::request::ListRequest;
use seata_service::{LIMIT_MAX, OFFSET_MAX, Problem};

use super::lines;
use crate::answer::{headers, json};
use crate::api::Api;
use crate::endpoint::Answer;
use crate::query::Query;
use crate::read;

const NEXT_CURSOR: HeaderName = HeaderName::from_static("x-next-cursor");

/// All that the query may hold.
const PARAMETERS: [&str; 8] = [
    "limit",
    "offset",
    "cursor",
    "status",
    "mode",
    "created_after",
    "created_before",
    "gid_prefix",
];

/// Answers a page of transactions, or all as lines.
pub(super) async fn list(api: Arc<Api>, request: Request) -> Answer {
    let query = Query::parse(request.uri().query())?.only(&PARAMETERS)?;
    let asked = asked(&query)?.resolve()?;
    if lines::is_asked(request.headers()) {
        return lines::stream(api, asked).await;
    }
    let listed = api.service.list(asked).await?;
    let mut response = json(StatusCode::OK, &headers(&listed.headers));
    if let Some(cursor) = listed.next_cursor
        && let Ok(value) = HeaderValue::from_str(&cursor)
    {
        response.headers_mut().insert(NEXT_CURSOR, value);
    }
    Ok(response)
}

fn asked(query: &Query) -> Result<ListRequest<'_>, Problem> {
    Ok(ListRequest {
        limit: number(query, "limit", 1, LIMIT_MAX)?,
        offset: number(query, "offset", 0, OFFSET_MAX)?,
        cursor: query.get("cursor")?.map(Into::into),
        status: query
            .get("status")?
            .map_or(Ok(Vec::new()), read::statuses)?,
        mode: query.get("mode")?.map(read::mode).transpose()?,
        created_from: instant(query, "created_after")?,
        created_before: instant(query, "created_before")?,
        gid_prefix: query.get("gid_prefix")?.map(Into::into),
    })
}

/// Reads a number as its digits. The range stands in the text, and is checked by the service.
fn number(query: &Query, name: &str, min: usize, max: usize) -> Result<Option<usize>, Problem> {
    let Some(text) = query.get(name)? else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        let why = format_args!("{text:?} is not allowed: give a whole number from {min} to {max}");
        Problem::field(name, why)
    })
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
