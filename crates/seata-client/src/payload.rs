//! What a branch is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

/// What participants are sent: JSON, or bytes of any kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Sent as its text, with `content-type: application/json`.
    Json(Value),
    /// Sent as it is: for gRPC branches, the encoded message.
    Bytes {
        /// What the bytes are, such as `application/protobuf`.
        content_type: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl Payload {
    /// Answers the bytes that a participant gets.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Bytes { bytes, .. } => bytes.clone(),
        }
    }

    /// Answers what the bytes are.
    #[must_use]
    pub fn content_type(&self) -> &str {
        match self {
            Self::Json(_) => "application/json",
            Self::Bytes { content_type, .. } => content_type,
        }
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

/// The fields that carry a payload, next to those of a transaction or a branch.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct PayloadFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// As it was given, for a wire that has no such fields.
    #[serde(skip)]
    pub(crate) given: Option<Payload>,
}

impl PayloadFields {
    pub(crate) fn of(payload: Option<&Payload>) -> Self {
        let given = payload.cloned();
        match payload {
            None => Self::default(),
            Some(Payload::Json(value)) => Self {
                payload: Some(value.clone()),
                given,
                ..Self::default()
            },
            Some(Payload::Bytes {
                content_type,
                bytes,
            }) => Self {
                payload_base64: Some(STANDARD.encode(bytes)),
                content_type: Some(content_type.clone()),
                given,
                ..Self::default()
            },
        }
    }
}
