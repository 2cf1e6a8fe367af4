//! Schemas of the words that requests and answers share: names, endpoints, statuses.

use seata_core::{Endpoint, Mode, Operation, Status};

use super::schema::{
    Fields, Part, about, anything, in_any_case, list, matching, named, one_of, pattern, text,
};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};

/// The characters of a gid and of a branch_id.
const NAME: &str = "[A-Za-z0-9._:-]";

const REASON: &str = "Why; the first 1024 bytes are kept.";

/// A gid.
pub(super) fn gid() -> Part {
    let gid = pattern(&format!("^{NAME}{{1,128}}$"), 128);
    about(gid, "Names a global transaction.")
}

/// A branch_id.
pub(super) fn branch_id() -> Part {
    let id = pattern(&format!("^{NAME}{{1,64}}$"), 64);
    about(id, "Names a branch within its transaction.")
}

/// Where a branch is called: what can be said of it in a pattern.
pub(super) fn endpoint() -> Part {
    let host = r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]";
    let web = r"https?://HOST(?::[0-9]+)?(?:[/?][!$-;=?-\[\]_a-z~]*)?";
    let grpc = r"grpcs?://HOST(?::[0-9]+)?/[A-Za-z0-9._]+/[A-Za-z0-9_]+";
    let local = r"local://[A-Za-z0-9._-]+(?:[/?][!$-;=?-\[\]_a-z~]*)?";
    let any = format!("^(?:{web}|{grpc}|{local})$").replace("HOST", &format!("(?:{host})"));
    about(
        pattern(&any, Endpoint::BYTES_MAX),
        "Where a branch is called. `local://` only in a program that embeds the coordinator.",
    )
}

/// A mode, as it stands in bodies.
pub(super) fn mode() -> Part {
    one_of(Mode::ALL.map(Mode::as_str))
}

/// An operation.
pub(super) fn operation() -> Part {
    one_of(Operation::ALL.map(Operation::as_str))
}

/// The status of a transaction.
pub(super) fn status() -> Part {
    one_of(Status::ALL.map(Status::as_str))
}

/// Some statuses, parted by commas, as they stand in a query.
pub(super) fn statuses() -> Part {
    let word = Status::ALL.map(Status::as_str).map(in_any_case).join("|");
    let some = format!(r"^\s*(?:{word})\s*(?:,\s*(?:{word})\s*)*$");
    about(
        pattern(&some, 1_024),
        "One or several statuses, separated by commas, in capitals or not.",
    )
}

/// A time in an answer.
pub(super) fn time() -> Part {
    let time = r"^-?\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$";
    about(pattern(time, 40), "RFC 3339, in UTC, with milliseconds.")
}

/// Seconds since 1970 in an answer.
pub(super) fn unix() -> Part {
    let number = ObjectBuilder::new().schema_type(Type::Integer);
    about(number.into(), "Whole seconds since 1970.")
}

/// Headers for participants.
pub(super) fn headers() -> Part {
    named("Headers")
}

/// The schema that [`headers`] names.
pub(super) fn headers_schema() -> Part {
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(r"^[\t -~]*$"))
        .build();
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"))
        .build();
    let headers = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::Object(name)))
        .additional_properties(Some(AdditionalProperties::RefOr(
            Schema::Object(value).into(),
        )))
        .max_properties(Some(64));
    about(
        headers.into(),
        "Headers of calls to participants: 8 KiB of names and values together. The coordinator's own are refused.",
    )
}

/// A payload's three fields, added to an object.
pub(super) fn with_payload(fields: Fields) -> Fields {
    let base64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]={0,2}|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=?)?$";
    let payload = "Any JSON value, sent as the text that it is written as. It may nest 128 deep.";
    let bytes = "Bytes, given instead of `payload`.";
    let kind = "The type of the bytes in `payload_base64`; goes with that alone.";
    fields
        .optional("payload", about(anything(), payload))
        .optional("payload_base64", about(matching(base64), bytes))
        .optional(
            "content_type",
            about(pattern(r"^[\t -.0-~]*/[\t -~]*$", 256), kind),
        )
}

/// How long a client waits for the end.
pub(super) fn wait() -> Part {
    let kinds = SchemaType::from_iter([Type::Boolean, Type::Number]);
    let wait = ObjectBuilder::new()
        .schema_type(kinds)
        .minimum(Some(0.0))
        .maximum(Some(300.0));
    about(
        wait.into(),
        "Whether to wait for the end: true (30 s), false, or so many seconds.",
    )
}

/// A person's words, which may be none.
pub(super) fn reason() -> Part {
    about(text(), REASON)
}

/// A person's words, without which nothing is done.
pub(super) fn reason_given() -> Part {
    about(matching(r"\S"), REASON)
}

/// A list of branch ids.
pub(super) fn branch_ids() -> Part {
    list(branch_id())
}

/// Where the last page ended, in a query.
pub(super) fn cursor() -> Part {
    pattern(&format!("^-?[0-9]+~{NAME}{{1,128}}$"), 150)
}

/// A time in a query.
pub(super) fn instant() -> Part {
    let words = "RFC 3339, like 2030-01-31T12:00:00Z, or seconds since 1970.";
    about(text(), words)
}
