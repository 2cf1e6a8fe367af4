//! What requests are checked against.

use crate::defaults::Defaults;

/// The most that a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one request as a whole: a body, or a message.
    pub body_bytes_max: usize,
    /// Of one payload: the JSON text, or the decoded bytes.
    pub payload_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 4 << 20,
            payload_bytes_max: 1 << 20,
        }
    }
}

/// Whether branches may name handlers within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalEndpoints {
    /// An embedding program registered some.
    Allowed,
    /// There are none: a `local://` endpoint is refused.
    Refused,
}

/// What requests are checked against, and what holds when they say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What options leave out.
    pub defaults: Defaults,
    /// The most that a client may send.
    pub limits: Limits,
    /// Whether branches may name handlers within this process.
    pub local: LocalEndpoints,
}
