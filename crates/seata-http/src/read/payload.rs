//! Payloads: any JSON value, kept as its text, or bytes in base64 with a type.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use seata_service::request::PayloadRequest;
use seata_service::{Path, Problem};
use serde_json::value::RawValue;

use crate::parse::values::Text;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const FIELD_BASE64: &str = "payload_base64";

/// The fields that make a payload.
pub(super) struct Given<'a> {
    pub(super) json: Option<&'a RawValue>,
    pub(super) base64: Option<Text<'a>>,
    pub(super) content_type: Option<Text<'a>>,
}

/// Reads a payload; none is given, none comes out.
pub(super) fn payload<'a>(
    path: Path<'_>,
    given: Given<'a>,
) -> Result<Option<PayloadRequest<'a>>, Problem> {
    match (given.json, given.base64) {
        (Some(_), Some(_)) => Err(Problem::field(
            path.key(FIELD_BASE64),
            "is given beside `payload`: give one of them",
        )),
        (None, None) => no_type(path, given.content_type.as_ref()).map(|()| None),
        (Some(json), None) => {
            no_type(path, given.content_type.as_ref())?;
            Ok(Some(PayloadRequest::Json(json.get())))
        }
        (None, Some(base64)) => {
            let bytes = BASE64.decode(base64.0.as_bytes()).map_err(|error| {
                Problem::field(
                    path.key(FIELD_BASE64),
                    format_args!("is no base64: {error}"),
                )
            })?;
            Ok(Some(PayloadRequest::Bytes {
                field: FIELD_BASE64,
                bytes: bytes.into(),
                content_type: given.content_type.map(|text| text.0),
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
