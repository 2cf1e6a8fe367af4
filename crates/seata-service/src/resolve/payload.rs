//! Payloads: any JSON value, kept as its text, or bytes with a type.

use seata_core::{ContentType, Payload};

use super::headers::is_value;
use crate::canonical::{DEPTH_MAX, TooDeep};
use crate::content::{Content, Part};
use crate::path::Path;
use crate::problem::Problem;
use crate::request::{PayloadRequest, Text};

/// The longest content type, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// Reads a payload; none is given, none comes out.
pub(super) fn payload(
    path: Path<'_>,
    given: Option<PayloadRequest<'_>>,
    bytes_max: usize,
    content: &mut Content,
) -> Result<Option<Payload>, Problem> {
    given
        .map(|given| one(path, given, bytes_max, content))
        .transpose()
}

fn one(
    path: Path<'_>,
    given: PayloadRequest<'_>,
    bytes_max: usize,
    content: &mut Content,
) -> Result<Payload, Problem> {
    let field = given.field();
    let within = |bytes: usize| {
        if bytes > bytes_max {
            let at = path.key(field);
            let key = "SEATA_PAYLOAD_BYTES_MAX";
            return Err(Problem::too_large(at, bytes_max, key).about(at));
        }
        Ok(())
    };
    match given {
        PayloadRequest::Json(json) => {
            within(json.len())?;
            content.json(Part::PayloadJson, json).map_err(|TooDeep| {
                let why = format_args!("nests deeper than {DEPTH_MAX}: make it flatter");
                Problem::field(path.key(field), why)
            })?;
            Ok(Payload {
                content_type: ContentType::Json,
                bytes: json.as_bytes().into(),
            })
        }
        PayloadRequest::Bytes {
            bytes,
            content_type: given,
            ..
        } => {
            let content_type = content_type(path, given)?;
            within(bytes.len())?;
            content.put(Part::PayloadBytes, &bytes);
            content.put(Part::ContentType, content_type.as_str().as_bytes());
            Ok(Payload {
                content_type,
                bytes: bytes.into(),
            })
        }
    }
}

fn content_type(path: Path<'_>, given: Option<Text<'_>>) -> Result<ContentType, Problem> {
    let Some(text) = given else {
        return Ok(ContentType::Other("application/octet-stream".into()));
    };
    if text == ContentType::Json.as_str() {
        return Ok(ContentType::Json);
    }
    let is_type = text.len() <= CONTENT_TYPE_BYTES_MAX && text.contains('/') && is_value(&text);
    if is_type {
        Ok(ContentType::Other(text.as_ref().into()))
    } else {
        Err(Problem::field(
            path.key("content_type"),
            "is no content type: write it like text/plain",
        ))
    }
}
