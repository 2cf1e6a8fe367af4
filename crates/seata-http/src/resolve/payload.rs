//! Payloads: any JSON value, kept as its text, or bytes in base64 with a type.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;
use seata_core::{ContentType, Payload};
use serde_json::value::RawValue;

use crate::canonical::{DEPTH_MAX, TooDeep};
use crate::content::{Content, Part};
use crate::parse::path::Path;
use crate::parse::values::Text;
use crate::problem::Problem;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest content type, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 256;

/// The fields that make a payload.
pub(super) struct Given<'a> {
    pub(super) json: Option<&'a RawValue>,
    pub(super) base64: Option<Text<'a>>,
    pub(super) content_type: Option<Text<'a>>,
}

/// Reads a payload; none is given, none comes out.
pub(super) fn payload(
    path: Path<'_>,
    given: Given<'_>,
    bytes_max: usize,
    content: &mut Content,
) -> Result<Option<Payload>, Problem> {
    let within = |field: &'static str, bytes: usize| {
        if bytes > bytes_max {
            return Err(Problem::too_large(path.key(field), bytes_max));
        }
        Ok(())
    };
    match (given.json, given.base64) {
        (Some(_), Some(_)) => Err(Problem::field(
            path.key("payload_base64"),
            "is given beside `payload`: give one of them",
        )),
        (None, None) => no_type(path, given.content_type.as_ref()).map(|()| None),
        (Some(json), None) => {
            no_type(path, given.content_type.as_ref())?;
            let json = json.get();
            within("payload", json.len())?;
            content.json(Part::PayloadJson, json).map_err(|TooDeep| {
                let why = format_args!("nests deeper than {DEPTH_MAX}: make it flatter");
                Problem::field(path.key("payload"), why)
            })?;
            Ok(Some(Payload {
                content_type: ContentType::Json,
                bytes: json.as_bytes().into(),
            }))
        }
        (None, Some(base64)) => {
            let content_type = content_type(path, given.content_type)?;
            let bytes = BASE64.decode(base64.0.as_bytes()).map_err(|error| {
                Problem::field(
                    path.key("payload_base64"),
                    format_args!("is no base64: {error}"),
                )
            })?;
            within("payload_base64", bytes.len())?;
            content.put(Part::PayloadBytes, &bytes);
            content.put(Part::ContentType, content_type.as_str().as_bytes());
            Ok(Some(Payload {
                content_type,
                bytes: bytes.into(),
            }))
        }
    }
}

fn no_type(path: Path<'_>, given: Option<&Text<'_>>) -> Result<(), Problem> {
    match given {
        None => Ok(()),
        Some(_) => Err(Problem::field(
            path.key("content_type"),
            "goes with `payload_base64` only: `payload` is sent as application/json",
        )),
    }
}

fn content_type(path: Path<'_>, given: Option<Text<'_>>) -> Result<ContentType, Problem> {
    let Some(Text(text)) = given else {
        return Ok(ContentType::Other("application/octet-stream".into()));
    };
    if text == ContentType::Json.as_str() {
        return Ok(ContentType::Json);
    }
    let is_type = text.len() <= CONTENT_TYPE_BYTES_MAX
        && text.contains('/')
        && HeaderValue::from_str(&text).is_ok();
    if is_type {
        Ok(ContentType::Other(text.as_ref().into()))
    } else {
        Err(Problem::field(
            path.key("content_type"),
            "is no content type: write it like text/plain",
        ))
    }
}
