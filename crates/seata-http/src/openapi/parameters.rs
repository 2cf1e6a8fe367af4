//! What stands in paths and queries.

use seata_service::{LIMIT_MAX, OFFSET_MAX};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

use super::schema::{Part, default, matching, pattern, whole};
use super::{examples, words};

/// The gid in a path.
pub(super) fn gid() -> Parameter {
    in_path("gid", words::gid(), examples::GID)
}

/// The part of the page in a path.
pub(super) fn part() -> Parameter {
    in_path("part", matching("^[A-Za-z0-9._-]+$"), "index.css")
}

fn in_path(name: &str, schema: Part, example: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .example(Some(example.into()))
        .build()
}

fn in_query(name: &str, schema: Part, words: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(words))
        .schema(Some(schema))
        .build()
}

fn last_event_id(schema: Part) -> Parameter {
    ParameterBuilder::new()
        .name("last-event-id")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The id of the event that was seen last."))
        .schema(Some(schema))
        .build()
}

/// The last event of a transaction that was seen.
pub(super) fn last_number() -> Parameter {
    last_event_id(pattern("^[0-9]{1,10}$", 10))
}

/// The parameters of the feed.
pub(super) fn of_the_feed() -> Vec<Parameter> {
    vec![
        last_event_id(pattern("^[0-9a-f]{1,16}-[0-9]{1,20}$", 37)),
        in_query("status", words::statuses(), "Only changes to these."),
        in_query("mode", words::mode(), "Only this."),
    ]
}

/// The parameters of the list.
pub(super) fn of_the_list() -> Vec<Parameter> {
    let bound = |max: usize| u64::try_from(max).unwrap_or(u64::MAX);
    let limit = default(whole(1, bound(LIMIT_MAX)), 10);
    let offset = whole(0, bound(OFFSET_MAX));
    vec![
        in_query("limit", limit, "How many at most."),
        in_query(
            "offset",
            offset,
            "How many to step over; not beside `cursor`.",
        ),
        in_query(
            "cursor",
            words::cursor(),
            "Where the last page ended: its header `x-next-cursor`.",
        ),
        in_query("status", words::statuses(), "Only these."),
        in_query("mode", words::mode(), "Only this."),
        in_query("created_after", words::instant(), "Only from this time on."),
        in_query("created_before", words::instant(), "Only before this time."),
        in_query("gid_prefix", words::gid(), "Only names that begin so."),
    ]
}
