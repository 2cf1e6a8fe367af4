//! What stands in paths and queries.

use seata_core::Mode;
use seata_service::{LIMIT_MAX, OFFSET_MAX};
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};

use super::schema::{Part, default, matching, one_of, pattern, whole};
use super::words;

/// The gid in a path.
pub(super) fn gid() -> Parameter {
    in_path("gid", words::gid())
}

/// The part of the page in a path.
pub(super) fn part() -> Parameter {
    in_path("part", matching("^[A-Za-z0-9._-]+$"))
}

fn in_path(name: &str, schema: Part) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
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

/// The parameters of the list. An empty value counts as not given.
pub(super) fn of_the_list() -> Vec<Parameter> {
    let bound = |max: usize| u64::try_from(max).unwrap_or(u64::MAX);
    let limit = default(whole(1, bound(LIMIT_MAX)), 10);
    let offset = whole(0, bound(OFFSET_MAX));
    let modes = one_of(Mode::ALL.map(Mode::as_str));
    let cursor = pattern(r"^-?[0-9]+~[A-Za-z0-9._:-]{1,128}$", 150);
    vec![
        in_query("limit", limit, "How many at most."),
        in_query(
            "offset",
            offset,
            "How many to step over; not beside `cursor`.",
        ),
        in_query(
            "cursor",
            cursor,
            "Where the last page ended: its header `x-next-cursor`.",
        ),
        in_query("status", words::statuses(), "Only these."),
        in_query("mode", modes, "Only this."),
        in_query("created_after", words::instant(), "Only from this time on."),
        in_query("created_before", words::instant(), "Only before this time."),
        in_query("gid_prefix", words::gid(), "Only names that begin so."),
    ]
}
